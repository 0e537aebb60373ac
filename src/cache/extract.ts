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
import type { Readable } from 'node:stream';
import { configError, Failed, hostError } from '../events/failure.ts';
import {
  type ArchiveFormat,
  describeStranger,
  HEAD_BYTES,
  identifyArchive,
} from './archive-format.ts';
import { type Decompression, TAR_ARGUMENTS, unsquashfsArguments } from './archive-tools.ts';
import { CHUNK_BYTES, pickDecompression, withoutProgram } from './decompress.ts';
import { type ExtractionFacts, judgeExtraction } from './extract-outcome.ts';

/** In a directory that an archive is being extracted into, or that was left half-written. */
export const INCOMPLETE = '.dibkit-extract-incomplete';

/** What extraction needs of the host. */
export interface ExtractionHost {
  isInstalled(tool: string): Promise<boolean>;
  /** False in a user namespace: an archive's device nodes are left out there. */
  readonly makesDevices: boolean;
  /**
   * Runs `write` where it reaches nothing but `target`, as `/target`.
   *
   * @throws when it was interrupted
   */
  runInCell(request: {
    readonly target: string;
    readonly write: readonly string[];
    readonly input: WriterInput;
  }): Promise<Pick<ExtractionFacts, 'feeder' | 'inputError' | 'writer' | 'printed' | 'said'>>;
}

/**
 * What the writer reads: the file `/input`; or on its standard input an open file, through a program unless
 * that is empty, or a stream of ours.
 */
export type WriterInput =
  | { readonly kind: 'file'; readonly fd: number }
  | { readonly kind: 'stdin'; readonly fd: number; readonly through: readonly string[] }
  | { readonly kind: 'stream'; readonly from: Readable };

/** What was done, for a line about it. */
export interface Extraction {
  readonly format: ArchiveFormat;
  /** For example `xz` and `tar`. */
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
    return { format: job.format, tools: [...readerOf(job), job.write[0]] };
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
  readonly how: Decompression;
  readonly write: readonly [string, ...string[]];
}

async function planJob(format: ArchiveFormat, host: ExtractionHost): Promise<Job> {
  const how = await pickDecompression(format, host.isInstalled, 'Cannot extract the archive');
  if (format === 'squashfs') {
    await assertInstalled('unsquashfs', 'squashfs-tools', host);
    const args = unsquashfsArguments(os.availableParallelism(), host.makesDevices);
    return { format, how, write: ['unsquashfs', ...args] };
  }
  await assertInstalled('tar', 'tar', host);
  return { format, how, write: ['tar', ...TAR_ARGUMENTS] };
}

/** Who takes the tar out of the archive, if anybody has to. */
function readerOf({ how }: Job): readonly string[] {
  return typeof how === 'string' ? [how].filter((each) => each !== 'none') : how.slice(0, 1);
}

function inputOf({ format, how }: Job, file: FileHandle): WriterInput {
  if (format === 'squashfs') {
    return { kind: 'file', fd: file.fd };
  }
  if (how === 'zlib') {
    const archive = file.createReadStream({
      start: 0,
      autoClose: false,
      highWaterMark: CHUNK_BYTES,
    });
    return { kind: 'stream', from: withoutProgram(how, archive) };
  }
  return { kind: 'stdin', fd: file.fd, through: how === 'none' ? [] : how };
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
  const { write } = job;
  const input = inputOf(job, file);
  const report = await host.runInCell({ target, write, input });
  const { makesDevices } = host;
  const feed = input.kind === 'stdin' ? input.through : [];
  const failure = judgeExtraction({ ...report, archive, root: target, feed, write, makesDevices });
  if (failure !== undefined) {
    throw new Failed(failure);
  }
}
