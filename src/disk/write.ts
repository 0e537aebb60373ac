/**
 * Writes a planned disk into plain files: no loop device, no device-mapper, no mount of the image.
 */
import { lstat, open, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { Failed, type Failure, hostError } from '../events/failure.ts';
import { runTool } from '../sandbox/process.ts';
import { Scope } from '../sandbox/scope.ts';
import {
  BOOT_CODE_BYTES,
  BOOT_DIRECTORIES,
  type BootImages,
  type ByteWrite,
  bootCodeWrites,
} from './boot-code.ts';
import { mke2fsArgv, mkfsVfatArgv, mkswapArgv, rootModeArgv } from './commands.ts';
import { doesNotFit } from './does-not-fit.ts';
import { fileSystemType } from './file-systems.ts';
import { clampTimes, fatCommands, listTree } from './fill-fat.ts';
import { fillMounted } from './fill-mounted.ts';
import type { DiskPlan, FileSystemLayout, ImageLayout } from './layout.ts';
import { lvmWrites } from './lvm-metadata.ts';
import { MKE2FS_CONFIG } from './mke2fs-config.ts';
import { tableWrites } from './partition-table.ts';
import { inPieces } from './pieces.ts';
import { GIB } from './sizes.ts';
import { stampExt } from './stamp-ext.ts';
import { makeMountPoints, openSubtree } from './subtree.ts';

export interface DiskTarget {
  /** The finished root file system. Missing mount points are made in it. */
  readonly tree: string;
  /** For each image's name the file to create, which must not exist: the caller renames it. */
  readonly files: ReadonlyMap<string, string>;
  /** For short-lived files and mount points; on a file system that takes sparse files. */
  readonly workDir: string;
  /** Seconds: makes the result reproducible. */
  readonly sourceDateEpoch?: number;
}

export interface WrittenDisk {
  /** Whether BIOS boot code was found in the tree and written. */
  readonly bootCode: boolean;
}

/**
 * Writes every image of the plan. On failure files may be left half-written, under the names that
 * were given.
 *
 * @throws Failed `config` (the tree does not fit), `host` (a tool is missing), `tool`, `disk-full`.
 */
export async function writeDisk(
  plan: DiskPlan,
  target: DiskTarget,
  context: Context,
): Promise<WrittenDisk> {
  const mountPoints = plan.fileSystems.flatMap(({ mountPoint }) => mountPoint ?? []);
  await makeMountPoints(target.tree, mountPoints);
  // Planned before the long work, so that boot code that does not fit is told at once.
  const bootCode = await planBootCode(plan, target);
  for (const image of plan.images) {
    await writeFrame(image, plan, target);
  }
  await using scope = new Scope();
  const config = path.join(target.workDir, 'mke2fs.conf');
  scope.defer(() => rm(config, { force: true }));
  await writeFile(config, MKE2FS_CONFIG);
  const env = { ...reproducible(target.sourceDateEpoch), MKE2FS_CONFIG: config };
  for (const fs of plan.fileSystems) {
    await writeFileSystem(fs, { target, context, mountPoints, env });
  }
  await writeBytes(bootCode.file, bootCode.writes);
  return { bootCode: bootCode.writes.length > 0 };
}

/** Writes the tree's boot code to a disk that has none: another's tools may have installed theirs. */
export async function writeBootCode(
  plan: DiskPlan,
  target: Pick<DiskTarget, 'tree' | 'files'>,
): Promise<void> {
  const { file, writes } = await planBootCode(plan, target);
  const handle = await open(file, 'r');
  const first = Buffer.alloc(BOOT_CODE_BYTES);
  try {
    await handle.read(first, 0, first.length, 0);
  } finally {
    await handle.close();
  }
  if (first.every((byte) => byte === 0)) {
    await writeBytes(file, writes);
  }
}

/** The boot code of the disk that holds the root file system; no writes when there is none. */
async function planBootCode(
  plan: DiskPlan,
  target: Pick<DiskTarget, 'tree' | 'files'>,
): Promise<{ file: string; writes: ByteWrite[] }> {
  const root = plan.fileSystems.find(({ mountPoint }) => mountPoint === '/');
  const image = plan.images.find(({ name }) => name === root?.image);
  if (image === undefined) {
    throw new Error('a plan without a root file system');
  }
  const boot = await findBootImages(target.tree);
  const writes = boot === undefined ? [] : bootCodeWrites(image, boot);
  return { file: fileOf(image.name, target), writes };
}

function fileOf(image: string, target: Pick<DiskTarget, 'files'>): string {
  const file = target.files.get(image);
  if (file === undefined) {
    throw new Error(`no file for image ${image}`);
  }
  return file;
}

/** Fixed clocks for the tools that put the time into what they write. */
function reproducible(epoch: number | undefined): Record<string, string> {
  return epoch === undefined
    ? {}
    : { E2FSPROGS_FAKE_TIME: String(epoch), SOURCE_DATE_EPOCH: String(epoch), TZ: 'UTC' };
}

function tooLarge({ name, sizeBytes }: ImageLayout, file: string): Failed {
  return hostError(
    `The file system of '${path.dirname(file)}' takes no file of ${Math.ceil(sizeBytes / GIB)} GiB, the size of disk "${name}"`,
    'Ask for a smaller disk, or use another file system: -o for raw images, TMPDIR for others',
  );
}

/** An image of nothing but its partition table and the descriptions of volume groups. */
async function writeFrame(image: ImageLayout, plan: DiskPlan, target: DiskTarget): Promise<void> {
  const file = fileOf(image.name, target);
  const handle = await open(file, 'wx');
  try {
    await handle.truncate(image.sizeBytes);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EFBIG' ? tooLarge(image, file) : error;
  } finally {
    await handle.close();
  }
  const time = target.sourceDateEpoch ?? Math.floor(Date.now() / 1000);
  const volumes = plan.volumeGroups.flatMap((group) => lvmWrites(group, time));
  await writeBytes(file, [
    ...tableWrites(image),
    ...volumes.filter((write) => write.image === image.name),
  ]);
}

interface Writer {
  readonly target: DiskTarget;
  readonly context: Context;
  readonly mountPoints: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function writeFileSystem(fs: FileSystemLayout, writer: Writer): Promise<void> {
  await using scope = new Scope();
  const { target, mountPoints, context } = writer;
  const { tree, workDir } = target;
  if (fs.pieces !== undefined) {
    const write = (whole: FileSystemLayout, file: string): Promise<void> => {
      const files = new Map([[whole.image, file]]);
      return writeFileSystem(whole, { ...writer, target: { ...target, files } });
    };
    return await inPieces(fs, { files: target.files, workDir, write }, context);
  }
  const subtree =
    fs.mountPoint === undefined
      ? undefined
      : await openSubtree(fs.mountPoint, { tree, workDir, mountPoints, context }, scope);
  switch (fileSystemType(fs.type)?.fill) {
    case 'mke2fs':
      return await writeExt(fs, subtree, writer);
    case 'vfat':
      return await writeFat(fs, subtree, writer);
    case 'swap':
      return await writeSwap(fs, writer);
    case 'mount':
      return await writeMounted(fs, subtree, writer);
    default:
      throw new Error(`planDisk let file system type ${fs.type} pass`);
  }
}

async function writeExt(
  fs: FileSystemLayout,
  subtree: string | undefined,
  { target, context, env }: Writer,
): Promise<void> {
  const file = fileOf(fs.image, target);
  if (subtree === undefined) {
    await runTool(mke2fsArgv(fs, { file }), context, { env });
    return;
  }
  const { uid, gid, mode } = await lstat(subtree);
  const argv = mke2fsArgv(fs, { file, tree: subtree, rootOwner: { uid, gid } });
  await runTool(argv, context, { env }).catch((error: unknown) => {
    throw explained(error, fs);
  });
  if ((mode & 0o7777) !== 0o755) {
    await runTool(rootModeArgv(fs, file, mode), context, { env, announce: false });
  }
  if (target.sourceDateEpoch !== undefined) {
    await stampExt(file, fs.offsetBytes, target.sourceDateEpoch);
  }
}

async function writeMounted(
  fs: FileSystemLayout,
  subtree: string | undefined,
  { target, context, env }: Writer,
): Promise<void> {
  const file = fileOf(fs.image, target);
  const { workDir, sourceDateEpoch: newest } = target;
  await fillMounted(fs, { file, subtree, workDir, newest, env }, context).catch(
    (error: unknown) => {
      // What is full is what was written to: a full host disk shows as an error of the device.
      throw error instanceof Failed && error.failure.kind === 'disk-full' ? isFull(fs) : error;
    },
  );
}

async function writeFat(
  fs: FileSystemLayout,
  subtree: string | undefined,
  { target, context, env }: Writer,
): Promise<void> {
  const file = fileOf(fs.image, target);
  const hint = 'Install dosfstools and mtools';
  await runTool(mkfsVfatArgv(fs, file), context, { env, hint, announce: false });
  if (subtree === undefined) {
    return;
  }
  if (target.sourceDateEpoch !== undefined) {
    await clampTimes(subtree, target.sourceDateEpoch);
  }
  for (const argv of fatCommands(fs, file, await listTree(subtree))) {
    await runTool(argv, context, { env, hint }).catch((error: unknown) => {
      throw explained(error, fs);
    });
  }
}

/** The signature ends the first page, the largest of which is 64 KiB. Source: mkswap(8). */
const SWAP_HEADER_BYTES = 64 * 1024;

async function writeSwap(fs: FileSystemLayout, { target, context, env }: Writer): Promise<void> {
  const temporary = path.join(target.workDir, `swap-${fs.name}`);
  try {
    const handle = await open(temporary, 'wx+', 0o600);
    try {
      await handle.truncate(fs.sizeBytes);
      await runTool(mkswapArgv(fs, temporary), context, { env, announce: false });
      const header = Buffer.alloc(Math.min(SWAP_HEADER_BYTES, fs.sizeBytes));
      await handle.read(header, 0, header.length, 0);
      await writeBytes(fileOf(fs.image, target), [{ offsetBytes: fs.offsetBytes, bytes: header }]);
    } finally {
      await handle.close();
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What the tools say when the file system, not the host's disk, is full. */
const FULL = [/Could not allocate (block|inode)/, /Disk full/];

function saysFull(failure: Failure): boolean {
  return (
    failure.kind === 'tool' &&
    failure.lastLines.some((line) => FULL.some((pattern) => pattern.test(line)))
  );
}

/** A full file system is a matter of configuration, and says so. */
function explained(error: unknown, fs: FileSystemLayout): unknown {
  return error instanceof Failed && saysFull(error.failure) ? isFull(fs) : error;
}

/** What nobody has foreseen: see `fit.ts`. */
function isFull(fs: FileSystemLayout): Failed {
  return doesNotFit(fs, [
    'Use --image-size (GiB) or --image-extra-size (MiB), or a larger partition',
  ]);
}

async function findBootImages(tree: string): Promise<BootImages | undefined> {
  const root = await realpath(tree);
  for (const directory of BOOT_DIRECTORIES) {
    const at = await realpath(path.join(tree, directory)).catch(() => undefined);
    // A link in the tree must not make us read the host's GRUB.
    if (at?.startsWith(`${root}/`)) {
      const [bootImg, coreImg] = await Promise.all(
        ['boot.img', 'core.img'].map((name) => readIfFile(path.join(at, name))),
      );
      if (bootImg !== undefined && coreImg !== undefined) {
        return { bootImg, coreImg };
      }
    }
  }
  return undefined;
}

async function readIfFile(file: string): Promise<Buffer | undefined> {
  const found = await lstat(file).catch(() => undefined);
  return found?.isFile() ? await readFile(file) : undefined;
}

async function writeBytes(file: string, writes: readonly ByteWrite[]): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    for (const { offsetBytes, bytes } of writes) {
      await handle.write(bytes, 0, bytes.length, offsetBytes);
    }
  } finally {
    await handle.close();
  }
}
