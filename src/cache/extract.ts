/**
 * Puts the archive of a root file system into a directory, and nowhere else.
 *
 * GNU tar, or unsquashfs, writes; it does so in a cell from which nothing
 * but the directory can be reached. While that goes on, and for good when it fails, the directory
 * has a file `INCOMPLETE`: half a root never passes for a whole one.
 */
import { type FileHandle, open, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { configError, Failed, hostError } from '../events/failure.ts';
import {
  type ArchiveFormat,
  describeStranger,
  HEAD_BYTES,
  identifyArchive,
} from './archive-format.ts';
import {
  type Decompressor,
  decompressorsOf,
  packageFor,
  TAR_ARGUMENTS,
  unsquashfsArguments,
} from './archive-tools.ts';
import { type ExtractionFacts, judgeExtraction } from './extract-outcome.ts';

/** In a directory that an archive is being extracted into, or that was left half-written. */
export const INCOMPLETE = '.dibkit-extract-incomplete';

/** What extraction needs of the host. */
export interface ExtractionHost {
  isInstalled(tool: string): Promise<boolean>;
  /** False in a user namespace: an archive's device nodes are left out there. */
  readonly makesDevices: boolean;
  /**
   * Runs `write` where it reaches nothing but `target`, as `/target`. It reads `inputFd`: through
   * `feed` as its standard input, or without that as the file `/input`.
   *
   * @throws when it was interrupted
   */
  runInCell(request: {
    readonly target: string;
    readonly write: readonly string[];
    readonly feed: readonly string[];
    readonly inputFd: number;
  }): Promise<Pick<ExtractionFacts, 'feeder' | 'writer' | 'printed' | 'said'>>;
}

/** What was done, for a line about it. */
export interface Extraction {
  readonly format: ArchiveFormat;
  /** The programs, for example `pigz` and `tar`. */
  readonly tools: readonly string[];
}

/**
 * Extracts `archive` into the existing directory `root`.
 *
 * @throws Failed `verify` (no archive, cut off, damaged, or it names places outside), `config` (no
 * such file or directory, or a half-written one), `host` (no program for the format, no privilege),
 * `disk-full`, `tool`
 */
export async function extractArchive(
  archive: string,
  root: string,
  host: ExtractionHost,
): Promise<Extraction> {
  const target = await existingDirectory(root);
  const file = await openArchive(archive);
  try {
    const job = await planJob(await identify(file, archive), host);
    await beginWriting(target);
    await runJob({ archive, target, file, job }, host);
    await endWriting(target);
    return { format: job.format, tools: job.tools };
  } finally {
    await file.close();
  }
}

async function existingDirectory(root: string): Promise<string> {
  const found = await stat(root).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw configError(`Cannot extract into '${root}': no such directory`);
  }
  return realpath(root);
}

async function openArchive(archive: string): Promise<FileHandle> {
  const found = await stat(archive).catch(() => undefined);
  if (!found?.isFile()) {
    throw configError(`Cannot extract '${archive}': no such file`);
  }
  return open(archive, 'r');
}

/** Reads at an offset: the descriptor's own position stays at the start, for the child. */
async function identify(file: FileHandle, archive: string): Promise<ArchiveFormat> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  const head = buffer.subarray(0, bytesRead);
  const format = identifyArchive(head);
  if (format === undefined) {
    throw new Failed({
      kind: 'verify',
      message: `Cannot extract '${archive}': ${describeStranger(head)}`,
      hint: 'A tar, compressed with gzip, xz, zstd or bzip2 or not at all, or a squashfs is expected',
    });
  }
  return format;
}

/** How one archive is read and written. */
interface Job {
  readonly format: ArchiveFormat;
  readonly tools: readonly string[];
  readonly feed: readonly string[];
  readonly write: readonly string[];
}

async function planJob(format: ArchiveFormat, host: ExtractionHost): Promise<Job> {
  const writer = format === 'squashfs' ? 'unsquashfs' : 'tar';
  const feed = format === 'squashfs' ? [] : await pickDecompressor(format, host);
  await assertInstalled(writer, format === 'squashfs' ? 'squashfs-tools' : 'tar', host);
  const write =
    format === 'squashfs'
      ? [writer, ...unsquashfsArguments(os.availableParallelism(), host.makesDevices)]
      : [writer, ...TAR_ARGUMENTS];
  const reader = format === 'tar' ? [] : feed.slice(0, 1);
  return { format, tools: [...reader, writer], feed, write };
}

async function pickDecompressor(
  format: ArchiveFormat,
  host: ExtractionHost,
): Promise<Decompressor> {
  for (const candidate of decompressorsOf(format)) {
    if (await host.isInstalled(candidate[0])) {
      return candidate;
    }
  }
  throw hostError(
    `Cannot read an archive in the format ${format}: no program for it is installed`,
    `Install the package ${packageFor(format)}`,
  );
}

async function assertInstalled(
  tool: string,
  packageName: string,
  host: ExtractionHost,
): Promise<void> {
  if (!(await host.isInstalled(tool))) {
    throw hostError(
      `Cannot extract the archive: ${tool} is not installed`,
      `Install the package ${packageName}`,
    );
  }
}

/** Two at once would mix two roots. */
async function beginWriting(target: string): Promise<void> {
  try {
    await writeFile(path.join(target, INCOMPLETE), '', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
    throw configError(
      `Cannot extract into '${target}': another extraction into it is going on, or has failed`,
      { hint: `Remove '${target}' if it has failed, and start with an empty directory` },
    );
  }
}

/** The directory keeps the time that the archive gave it. */
async function endWriting(target: string): Promise<void> {
  const { atimeNs, mtimeNs } = await stat(target, { bigint: true });
  await rm(path.join(target, INCOMPLETE), { recursive: true });
  await utimes(target, Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9);
}

interface JobRun {
  readonly archive: string;
  readonly target: string;
  readonly file: FileHandle;
  readonly job: Job;
}

async function runJob({ archive, target, file, job }: JobRun, host: ExtractionHost): Promise<void> {
  const { feed, write } = job;
  const report = await host.runInCell({ target, write, feed, inputFd: file.fd });
  const { makesDevices } = host;
  const failure = judgeExtraction({ ...report, archive, root: target, feed, write, makesDevices });
  if (failure !== undefined) {
    throw new Failed(failure);
  }
}
