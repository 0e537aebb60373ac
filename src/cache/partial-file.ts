/**
 * A file while it arrives: `X.dib-partial.<identity>.<number>`, and beside it as `.json` where it
 * comes from.
 *
 * Bytes pass once: hashed as they come, written behind in large pieces. Only the process in its name
 * ever writes to a partial file. What a dead process left is copied, hashed again, into one of our
 * own: a process that only slept cannot write into what we verify.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import type { Sha256 } from './checksum.ts';
import { livenessOf, ownIdentity, parseIdentity, renderIdentity } from './identity.ts';
import { publish } from './publish.ts';

/** What identifies one version of a file on a server. Source: RFC 9110, 8.8. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

/** Where the bytes come from. */
export interface Source extends Validators {
  readonly url: string;
  readonly totalBytes?: number;
}

const INFIX = '.dib-partial.';
const BATCH_BYTES = 1 << 20;
/** One in a namespace that we cannot see is left alone while it may be growing. */
const UNSEEN_REST_MS = 60_000;
/** Until then somebody may want to go on with it. */
const FORSAKEN_MS = 10 * 60_000;
/** How much may wait for the disk at the end. */
const SYNC_EVERY_BYTES = 64 << 20;

/** Those of this process that are in use. */
const inUse = new Set<string>();
let opened = 0;

export class PartialFile implements AsyncDisposable {
  readonly path: string;
  /** What the disk refused, if it did. */
  failure: unknown;
  /** Bytes that have arrived. */
  position = 0;
  source: Source | undefined;
  readonly #handle: FileHandle;
  #hash: Hash = createHash('sha256');
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #written = 0;
  #synced = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> | undefined;

  private constructor(file: string, handle: FileHandle) {
    this.path = file;
    this.#handle = handle;
  }

  /**
   * A new partial file for `target`. With `resumeFrom`, the URL, it starts with what dead processes
   * have already got from there. Only the holder of the target's lock may call this.
   */
  static async open(target: string, resumeFrom?: string): Promise<PartialFile> {
    opened += 1;
    const file = `${target}${INFIX}${renderIdentity(await ownIdentity())}.${opened}`;
    const left = await leftPartials(target);
    const partial = new PartialFile(file, await create(file));
    inUse.add(file);
    try {
      await partial.#adopt(left, resumeFrom);
      return partial;
    } catch (error) {
      await partial.remove();
      throw error;
    }
  }

  async #adopt(left: readonly string[], url: string | undefined): Promise<void> {
    for (const file of left) {
      const source = url === undefined ? undefined : await readSource(file);
      if (source?.url === url && source !== undefined && this.position === 0) {
        await this.#copyFrom(file);
        await this.setSource(source);
      }
      await removePartial(file);
    }
  }

  async #copyFrom(file: string): Promise<void> {
    const handle = await open(file, 'r');
    try {
      for await (const chunk of handle.createReadStream({ highWaterMark: BATCH_BYTES })) {
        await this.append(chunk);
      }
    } finally {
      await handle.close();
    }
  }

  /** Notes where the bytes come from, for whoever has to go on. */
  async setSource(source: Source): Promise<void> {
    if (JSON.stringify(source) !== JSON.stringify(this.source)) {
      this.source = source;
      await writeFile(`${this.path}.json`, JSON.stringify(source));
    }
  }

  /** Takes the next bytes. They may still be on their way to the disk when this resolves. */
  async append(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    this.position += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) {
      await this.#writeBatch();
    }
  }

  /** Starts writing what has gathered, once what was started before is done. */
  async #writeBatch(): Promise<void> {
    await this.#writing;
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    const at = this.#written;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#written += bytes;
    this.#writing = this.#guarded(async () => {
      const { bytesWritten } = await this.#handle.writev(batch, at);
      if (bytesWritten < bytes) {
        await this.#writeRest(Buffer.concat(batch).subarray(bytesWritten), at + bytesWritten);
      }
    });
    // Whoever awaits next gets the error; nobody may be waiting yet.
    this.#writing.catch(() => {});
    this.#syncBehind();
  }

  async #writeRest(rest: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < rest.length; ) {
      const { bytesWritten } = await this.#handle.write(rest, done, rest.length - done, at + done);
      done += bytesWritten;
    }
  }

  /** Has the disk begin early, so that the flush before publishing is short. */
  #syncBehind(): void {
    if (this.#syncing === undefined && this.#written - this.#synced >= SYNC_EVERY_BYTES) {
      this.#synced = this.#written;
      this.#syncing = this.#handle
        .datasync()
        .catch(() => {})
        .finally(() => {
          this.#syncing = undefined;
        });
    }
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failure = error instanceof Error ? Object.assign(error, { path: this.path }) : error;
      throw error;
    }
  }

  /** Waits until everything is in the file. */
  async drain(): Promise<void> {
    if (this.#batchBytes > 0) {
      await this.#writeBatch();
    }
    await this.#writing;
  }

  /** Forgets all bytes. */
  async reset(): Promise<void> {
    await this.drain();
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.position = 0;
    this.#written = 0;
    this.#synced = 0;
    this.source = undefined;
  }

  /** Waits for the last byte; the digest of what has arrived so far. */
  async digest(): Promise<Sha256> {
    await this.drain();
    return this.#hash.copy().digest('hex') as Sha256;
  }

  /** Makes it the finished file `target`. What is noted about it goes first: nobody would find that alone. */
  async publishAs(target: string): Promise<void> {
    await this[Symbol.asyncDispose]();
    await removeNote(this.path);
    await publish(this.path, target);
  }

  /** Removes the file. Idempotent; no error when it has been renamed. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await removePartial(this.path);
  }

  /** Closes the file and leaves it: for somebody to publish, or to go on with. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (inUse.delete(this.path)) {
      await this.drain().catch(() => {});
      await this.#syncing;
      await this.#handle.close();
    }
  }
}

/** With the mode that the user's mask leaves: the finished file has the same. */
async function create(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EROFS', 'EACCES', 'EPERM'].includes(code)) {
      throw error;
    }
    const message = `Cannot write into '${path.dirname(file)}': ${code}`;
    const hint = 'Point DIB_IMAGE_CACHE or --image-cache at a directory that you can write';
    throw configError(message, { hint });
  }
}

/** Removes a partial file, and first what is noted about it: by the file, whoever comes next finds what was left. */
export async function removePartial(file: string): Promise<void> {
  await removeNote(file);
  await rm(file, { force: true });
}

function removeNote(file: string): Promise<void> {
  return rm(`${file}.json`, { force: true });
}

/** Partial files in a directory that nobody writes to, and nobody has gone on with for a while. */
export async function forsakenPartials(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory).catch(() => [])).filter(
    (name) => name.includes(INFIX) && !name.endsWith('.json'),
  );
  const files = await Promise.all(
    names.map(async (name) => {
      const file = path.join(directory, name);
      const suffix = name.slice(name.lastIndexOf(INFIX) + INFIX.length);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
      const rested = Math.abs(Date.now() - mtimeMs) > FORSAKEN_MS;
      return rested && (await isLeft(file, suffix)) ? [file] : [];
    }),
  );
  return files.flat().sort();
}

/** What others have left for the target and do not write to any more; the largest first. */
export async function leftPartials(target: string): Promise<readonly string[]> {
  const directory = path.dirname(target);
  const prefix = `${path.basename(target)}${INFIX}`;
  const names = (await readdir(directory)).filter(
    (name) => name.startsWith(prefix) && !name.endsWith('.json'),
  );
  const found = await Promise.all(
    names.map(async (name) => {
      const file = path.join(directory, name);
      const left = await isLeft(file, name.slice(prefix.length));
      const size = left
        ? await stat(file).then(
            (each) => each.size,
            () => -1,
          )
        : -1;
      return { file, size };
    }),
  );
  return found
    .filter(({ size }) => size >= 0)
    .sort((a, b) => b.size - a.size)
    .map(({ file }) => file);
}

async function isLeft(file: string, suffix: string): Promise<boolean> {
  const identity = parseIdentity(suffix);
  if (identity === undefined || inUse.has(file)) {
    return false;
  }
  if (renderIdentity(identity) === renderIdentity(await ownIdentity())) {
    return true;
  }
  const liveness = await livenessOf(identity);
  if (liveness !== 'unknown') {
    return liveness === 'gone';
  }
  const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
  // A time stamp far in the future has seen another clock, and is as old.
  return Math.abs(Date.now() - mtimeMs) > UNSEEN_REST_MS;
}

async function readSource(file: string): Promise<Source | undefined> {
  try {
    const value = JSON.parse(await readFile(`${file}.json`, 'utf8'));
    return typeof value.url === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
