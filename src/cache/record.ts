/**
 * What is remembered about a file in the cache: `X.dib-verified`, JSON.
 *
 * It vouches for the file only while size, modification time and inode are those of the file that
 * was verified; so it may be older or newer than the file, or be lost, and nothing worse happens than
 * that the file is hashed again.
 */
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { parseSha256, type Sha256 } from './checksum.ts';
import type { Validators } from './partial-file.ts';

const VERSION = 1;

/** A file that has been verified. */
export interface VerifiedRecord extends Validators {
  readonly sha256: Sha256;
  /** Where it came from; empty when it was found. */
  readonly url: string;
  /** ISO 8601. */
  readonly verifiedAt: string;
}

/** What the file system says about a file, as far as it changes when the file does. */
interface Shape {
  readonly size: string;
  readonly mtimeNs: string;
  readonly inode: string;
}

/** The record of a file as it is now; undefined when there is none that fits. */
export async function readRecord(file: string): Promise<VerifiedRecord | undefined> {
  const [value, shape] = await Promise.all([readJson(recordPath(file)), shapeOf(file)]);
  if (value === undefined || shape === undefined || value.version !== VERSION) {
    return undefined;
  }
  const sha256 = parseSha256(String(value.sha256));
  const fits =
    value.size === shape.size && value.mtimeNs === shape.mtimeNs && value.inode === shape.inode;
  return sha256 !== undefined && fits
    ? ({ ...value, sha256 } as unknown as VerifiedRecord)
    : undefined;
}

/** The digest that was last remembered for a name, whatever the file is now. */
export async function lastDigest(file: string): Promise<Sha256 | undefined> {
  return parseSha256(String((await readJson(recordPath(file)))?.sha256));
}

/** Remembers that the file as it is now has been verified. */
export async function writeRecord(file: string, record: VerifiedRecord): Promise<void> {
  const shape = await shapeOf(file);
  // In place: a torn record is no record.
  await writeFile(
    recordPath(file),
    `${JSON.stringify({ version: VERSION, ...record, ...shape })}\n`,
  );
}

/** The digest of a file's content, or undefined when there is no such regular file. */
export async function hashFile(file: string, signal: AbortSignal): Promise<Sha256 | undefined> {
  if ((await shapeOf(file)) === undefined) {
    return undefined;
  }
  // Loaded by whoever reads a file, which most never do.
  const { createHash } = await import('node:crypto');
  const handle = await open(file, 'r');
  try {
    const hash = createHash('sha256');
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20 })) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
    return hash.digest('hex') as Sha256;
  } finally {
    await handle.close();
  }
}

function recordPath(file: string): string {
  return `${file}.dib-verified`;
}

async function shapeOf(file: string): Promise<Shape | undefined> {
  try {
    const found = await stat(file, { bigint: true });
    return found.isFile()
      ? { size: `${found.size}`, mtimeNs: `${found.mtimeNs}`, inode: `${found.ino}` }
      : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
