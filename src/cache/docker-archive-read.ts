/** Reads the archive of a container image once, from its first byte to its last. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { Parser, type ReadEntry } from 'tar';
import { configError, Failed, isFullDisk } from '../events/failure.ts';
import { describeStranger, HEAD_BYTES, identifyArchive } from './archive-format.ts';
import type { Decompression, Decompressor } from './archive-tools.ts';
import { CHUNK_BYTES, pickDecompression, withoutProgram } from './decompress.ts';
import { badImage, type Member, type Members, memberName } from './docker-archive.ts';

/** A program that is reading the archive. */
export interface Decompressing {
  /** What comes out of it. */
  readonly output: Readable;
  /** Its status as a shell counts it, once it has ended. */
  readonly status: Promise<number>;
}

/** What reading needs of the host. */
export interface ArchiveReader {
  isInstalled(tool: string): Promise<boolean>;
  /** Starts a program with the archive as its standard input. */
  decompress(argv: Decompressor, archive: Readable): Decompressing;
}

/**
 * Puts every file of the archive into `spool`, under names of our own, decompressed, and
 * computes the digests on the way.
 *
 * @throws Failed `verify` (no archive, cut off, damaged), `config` (no such file), `host` (no program)
 */
export async function readImageArchive(
  archive: string,
  spool: string,
  reader: ArchiveReader,
): Promise<Members> {
  const how = await pickFor(archive, reader);
  const { output, status } = decompress(how, archive, reader);
  const parsing = parseMembers(output, archive, spool);
  // A damaged archive shows in both; the program knows better what is wrong.
  const [parsed, ended] = await Promise.allSettled([parsing, status]);
  if (ended.status === 'rejected') {
    throw ended.reason;
  }
  const BROKEN_PIPE = 141;
  if (ended.value !== 0 && ended.value !== BROKEN_PIPE) {
    throw badImage(
      archive,
      `${how[0]} failed with status ${ended.value}: it is damaged or cut off`,
    );
  }
  if (parsed.status === 'rejected') {
    throw parsed.reason;
  }
  return parsed.value;
}

async function pickFor(archive: string, { isInstalled }: ArchiveReader): Promise<Decompression> {
  const head = await readHead(archive);
  const format = identifyArchive(head);
  if (format === undefined || format === 'squashfs') {
    const what = format === undefined ? describeStranger(head) : 'it is a squashfs';
    throw badImage(archive, what);
  }
  return pickDecompression(format, isInstalled, `Cannot read '${archive}'`);
}

function decompress(how: Decompression, archive: string, reader: ArchiveReader): Decompressing {
  const input = createReadStream(archive, { highWaterMark: CHUNK_BYTES });
  return typeof how === 'string'
    ? { output: withoutProgram(how, input), status: Promise.resolve(0) }
    : reader.decompress(how, input);
}

async function readHead(archive: string): Promise<Buffer> {
  const file = await open(archive, 'r').catch(() => {
    throw configError(`Cannot unpack '${archive}': no such file`);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function parseMembers(output: Readable, archive: string, spool: string): Promise<Members> {
  const members = new Map<string, Member>();
  const writing: Promise<void>[] = [];
  const fail = (error: unknown): void => {
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  };
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const name = memberName(entry.path);
      if (name === undefined) {
        fail(badImage(archive, `member '${entry.path}' leads out of it`));
        entry.resume();
        return;
      }
      const file = path.join(spool, String(writing.length));
      const kept = keep(entry, file).then((member) => {
        if (member !== undefined) {
          members.set(name, member);
        }
      });
      kept.catch(fail);
      writing.push(kept);
    },
  });
  try {
    await feed(output, parser);
    await Promise.all(writing);
  } catch (error) {
    throw asFailure(error, archive);
  }
  return members;
}

/** The parser is no stream of Node's, but writes and ends like one. */
async function feed(output: Readable, parser: Parser): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve);
    parser.on('error', reject);
  });
  ended.catch((error: Error) => output.destroy(error));
  for await (const chunk of output) {
    if (!parser.write(chunk as Buffer)) {
      await new Promise<void>((resolve) => parser.once('drain', resolve));
    }
  }
  parser.end();
  await ended;
}

async function keep(entry: ReadEntry, file: string): Promise<Member | undefined> {
  switch (entry.type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
      return keepFile(entry, file);
    case 'SymbolicLink':
      entry.resume();
      return { kind: 'link', target: entry.linkpath ?? '' };
    case 'Link':
      entry.resume();
      return { kind: 'link', target: `/${entry.linkpath ?? ''}` };
    default:
      entry.resume();
      return undefined;
  }
}

async function keepFile(entry: ReadEntry, file: string): Promise<Member> {
  const hash = createHash('sha256');
  let head: Buffer = Buffer.alloc(0);
  await using sink = await open(file, 'wx');
  for await (const chunk of entry) {
    hash.update(chunk);
    if (head.length < HEAD_BYTES) {
      head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
    }
    await sink.writeFile(chunk);
  }
  return { kind: 'file', file, sha256: hash.digest('hex'), head };
}

function asFailure(error: unknown, archive: string): unknown {
  if (error instanceof Failed) {
    return error;
  }
  if (isFullDisk(error)) {
    return new Failed({
      kind: 'disk-full',
      message: `No space left on the device while reading '${archive}'`,
      path: archive,
      hint: 'Free some space, or point TMPDIR at a larger file system',
    });
  }
  return badImage(archive, (error as Error).message);
}
