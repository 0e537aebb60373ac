/**
 * What is in a directory, an archive or a disk image, as entries that can be compared.
 *
 * Everything goes through tar: a directory is archived, an archive unpacked, and a partition's files
 * are taken out into a directory first, with debugfs or mtools and without a mount. That loses the
 * extended attributes and devices in a partition, which its digest still sees.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { HEAD_BYTES, identifyArchive } from '../cache/archive-format.ts';
import { CHUNK_BYTES, pickDecompression, withoutProgram } from '../cache/decompress.ts';
import type { Context } from '../events/event.ts';
import { configError, Failed } from '../events/failure.ts';
import { findTool } from '../sandbox/host-tools.ts';
import { runTool } from '../sandbox/process.ts';
import { startTool, type ToolStream } from '../sandbox/tool-stream.ts';
import { tarArgv } from './commands.ts';
import type { TreeEntry } from './compare-trees.ts';
import { type PartitionFacts, parsePartitions } from './partitions.ts';
import { readTarEntries } from './tar-entries.ts';

export interface ContentsHost {
  readonly context: Context;
  /** Makes an empty directory that somebody else removes. */
  readonly workDir: () => Promise<string>;
}

type Contents = ReadonlyMap<string, TreeEntry>;

/** Later than any time there is: a directory is compared with the times that it has. */
const NO_DATE = 2 ** 40;

/** The entries of a directory, archive or disk. @throws Failed `config`, `host`, `tool`, `verify` */
export async function readContents(file: string, host: ContentsHost): Promise<Contents> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !(found.isDirectory() || found.isFile())) {
    throw configError(`Cannot compare '${file}': no such file or directory`);
  }
  if (found.isDirectory()) {
    return entriesOf(startTool(tarArgv(file, NO_DATE), host.context), file);
  }
  const format = identifyArchive(await headOf(file));
  if (format === undefined) {
    return readDisk(file, host);
  }
  if (format === 'squashfs') {
    const directory = path.join(await host.workDir(), 'tree');
    await runQuietly(['unsquashfs', '-no-progress', '-dest', directory, file], host);
    return readContents(directory, host);
  }
  const searchPath = host.context.toolEnvironment.PATH ?? '';
  const isInstalled = async (tool: string): Promise<boolean> =>
    findTool(tool, searchPath) !== undefined;
  const how = await pickDecompression(format, isInstalled, `Cannot read '${file}'`);
  if (typeof how === 'string') {
    const archive = createReadStream(file, { highWaterMark: CHUNK_BYTES });
    return entriesOf({ output: withoutProgram(how, archive), done: Promise.resolve() }, file);
  }
  return entriesOf(startTool([...how, file], host.context), file);
}

async function headOf(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function entriesOf(
  stream: Pick<ToolStream, 'output' | 'done'>,
  file: string,
): Promise<Contents> {
  const entries = await readTarEntries(stream.output as AsyncIterable<Buffer>).catch(
    async (error: unknown) => {
      stream.output.destroy();
      // A program that failed says better what was wrong than what it left unsaid does.
      await stream.done;
      throw new Failed(
        { kind: 'verify', message: `Cannot read '${file}': ${(error as Error).message}` },
        { cause: error },
      );
    },
  );
  await stream.done;
  return entries;
}

function runQuietly(
  argv: readonly [string, ...string[]],
  { context }: ContentsHost,
): Promise<string> {
  return runTool(argv, context, { announce: false });
}

async function readDisk(file: string, host: ContentsHost): Promise<Contents> {
  const raw = await asRaw(file, host);
  const table = await runQuietly(['sfdisk', '--json', raw], host).catch(() => undefined);
  const { size } = await stat(raw);
  const entries = new Map<string, TreeEntry>();
  const { facts, partitions } = parsePartitions(table, size);
  entries.set('table', diskEntry('partition table', facts));
  for (const partition of partitions) {
    const sha256 = await digestOf(raw, partition);
    entries.set(partition.name, {
      ...diskEntry('partition', partition.facts),
      size: partition.sizeBytes,
      sha256,
    });
    for (const [name, entry] of await filesOf(raw, partition, host)) {
      // debugfs leaves the time at which it wrote on links, mcopy on the top directory.
      const isDated = entry.type !== 'link' && name !== '/';
      const known = isDated ? entry : { ...entry, mtime: 0 };
      entries.set(`${partition.name}:${name}`, known);
    }
  }
  return entries;
}

function diskEntry(type: TreeEntry['type'], facts: TreeEntry['xattrs']): TreeEntry {
  return { type, mode: 0, owner: '', mtime: 0, xattrs: facts };
}

/** Disks in other formats are converted; holes stay holes. */
async function asRaw(file: string, host: ContentsHost): Promise<string> {
  const said = await runQuietly(['qemu-img', 'info', '--output=json', file], host);
  if ((JSON.parse(said) as { format: string }).format === 'raw') {
    return file;
  }
  const raw = path.join(await host.workDir(), 'disk.raw');
  await runQuietly(['qemu-img', 'convert', '-O', 'raw', file, raw], host);
  return raw;
}

async function digestOf(file: string, { startByte, sizeBytes }: PartitionFacts): Promise<string> {
  const hash = createHash('sha256');
  const range = { start: startByte, end: startByte + sizeBytes - 1, highWaterMark: 1 << 20 };
  for await (const chunk of createReadStream(file, range)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** The files of an ext or FAT file system; none of another one, which is compared by its digest. */
async function filesOf(
  raw: string,
  { startByte }: PartitionFacts,
  host: ContentsHost,
): Promise<Contents> {
  const kind = await fileSystemAt(raw, startByte);
  if (kind === undefined) {
    return new Map();
  }
  const directory = path.join(await host.workDir(), 'tree');
  await mkdir(directory);
  const argv: readonly [string, ...string[]] =
    kind === 'ext'
      ? ['debugfs', '-R', `rdump / "${directory}"`, `${raw}?offset=${startByte}`]
      : ['mcopy', '-i', `${raw}@@${startByte}`, '-s', '-m', '-Q', '::*', directory];
  await runQuietly(argv, host);
  const names = await readdir(directory);
  return names.length === 0 ? new Map() : readContents(directory, host);
}

/** Source: ext4, `s_magic`; FAT, the signature of its boot sector and the type that it names. */
async function fileSystemAt(raw: string, startByte: number): Promise<'ext' | 'fat' | undefined> {
  const handle = await open(raw, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(2048), 0, 2048, startByte);
    if (buffer.readUInt16LE(1024 + 0x38) === 0xef53) {
      return 'ext';
    }
    const names = [buffer.toString('latin1', 54, 57), buffer.toString('latin1', 82, 85)];
    return buffer.readUInt16LE(510) === 0xaa55 && names.includes('FAT') ? 'fat' : undefined;
  } finally {
    await handle.close();
  }
}
