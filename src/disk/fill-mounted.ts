/** Fills a file system that no tool can fill by itself: through the kernel, on a loop device. */
import { mkdtemp, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError, hostError } from '../events/failure.ts';
import { mount } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import { Scope } from '../sandbox/scope.ts';
import { attach } from './attach.ts';
import { mkfsMountedArgv } from './commands.ts';
import type { FileSystemLayout } from './layout.ts';
import { MIB } from './sizes.ts';

/** Source: mkfs.xfs(8), since xfsprogs 5.19. */
const SMALLEST_XFS_BYTES = 300 * MIB;

export interface MountedFill {
  /** The disk. */
  readonly file: string;
  /** What the file system is to hold; absent: nothing. */
  readonly subtree: string | undefined;
  /** For a mount point. */
  readonly workDir: string;
  /** Seconds since 1970: later times of files become this. Absent: they stay. */
  readonly newest: number | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** @throws Failed `host` where there is no loop device or the kernel does not know the type. */
export async function fillMounted(
  fs: FileSystemLayout,
  { file, subtree, workDir, newest, env }: MountedFill,
  context: Context,
): Promise<void> {
  if (fs.type === 'xfs' && fs.sizeBytes < SMALLEST_XFS_BYTES) {
    throw configError(
      `File system "${fs.label}" is too small for xfs, which takes 300 MiB: ${Math.floor(fs.sizeBytes / MIB)} MiB`,
      { hint: 'Use --image-size (GiB) or --image-extra-size (MiB), or a larger partition' },
    );
  }
  await using scope = new Scope();
  const device = await attach(file, fs, { scope, context });
  await runTool(mkfsMountedArgv(fs, device), context, { env });
  if (subtree === undefined) {
    return;
  }
  const place = await mkdtemp(path.join(workDir, 'fill-'));
  scope.defer(() => rmdir(place));
  await mount({ source: device, target: place, type: fs.type }, context).catch(() => {
    throw hostError(
      `The kernel cannot mount ${fs.type}, which file system "${fs.label}" needs to be filled`,
      `Load its module (modprobe ${fs.type}), or use ext4, for example with FS_TYPE=ext4`,
    );
  });
  const unhindered = { ...context, signal: new AbortController().signal };
  scope.defer(async () => {
    await runTool(['umount', place], unhindered, { announce: false });
  });
  // With all attributes, holes and hard links; what is mounted inside belongs to others.
  await runTool(['cp', '-a', '-x', '--sparse=always', `${subtree}/.`, place], context, { env });
  if (newest !== undefined) {
    await runTool(clampArgv(place, newest), context, { env, announce: false });
  }
}

/** Sets later times to `newest`. The kernel's own, of change and birth, are nobody's to set. */
function clampArgv(directory: string, newest: number): readonly [string, ...string[]] {
  const set = ['touch', '--no-dereference', `--date=@${newest}`, '{}', '+'];
  return ['find', directory, '-xdev', '-newermt', `@${newest}`, '-exec', ...set];
}
