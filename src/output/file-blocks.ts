/**
 * A file that is read once and nearly forwards while something else is written, perhaps over it: blocks stay
 * in memory until all that is wanted of them has been taken.
 */
import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 1 << 20;

/** Bytes of a file, from the first to behind the last one. */
export type Extent = readonly [from: number, end: number];

export class FileBlocks {
  readonly #file: FileHandle;
  /** By number of block: how many extents in it nobody has taken yet. */
  readonly #wanted: number[] = [];
  readonly #held = new Map<number, Promise<Buffer>>();
  readonly #free: Buffer[] = [];
  /** Blocks before this one have been read, or are not wanted. */
  #secured = 0;

  /** Each of the extents will be taken once. */
  constructor(file: FileHandle, extents: Iterable<Extent>) {
    this.#file = file;
    for (const extent of extents) {
      for (const block of blocksOf(extent)) {
        this.#wanted[block] = (this.#wanted[block] ?? 0) + 1;
      }
    }
  }

  /** Hands over the bytes of an extent, fewer where the file ends; they are valid until `use` returns. */
  async take(extent: Extent, use: (bytes: Buffer) => void): Promise<void> {
    const [from, end] = extent;
    const blocks = blocksOf(extent);
    const parts: Buffer[] = [];
    for (const block of blocks) {
      const start = block * BLOCK_BYTES;
      const bytes = await this.#load(block);
      parts.push(bytes.subarray(Math.max(0, from - start), Math.min(BLOCK_BYTES, end - start)));
    }
    // While these are used, the next one is read.
    this.#loadAhead((blocks.at(-1) ?? 0) + 1);
    const [only] = parts;
    use(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts));
    for (const block of blocks) {
      await this.#release(block);
    }
  }

  /** After this, what is before `end` in the file may be overwritten. */
  async secure(end: number): Promise<void> {
    const behind = Math.ceil(end / BLOCK_BYTES);
    for (; this.#secured < behind; this.#secured += 1) {
      if (this.#isWanted(this.#secured)) {
        await this.#load(this.#secured);
      }
    }
  }

  #isWanted(block: number): boolean {
    return (this.#wanted[block] ?? 0) > 0;
  }

  #loadAhead(block: number): void {
    if (this.#isWanted(block)) {
      // Whoever takes it is told what went wrong.
      this.#load(block).catch(() => {});
    }
  }

  #load(block: number): Promise<Buffer> {
    const held = this.#held.get(block);
    if (held !== undefined) {
      return held;
    }
    const buffer = this.#free.pop() ?? Buffer.allocUnsafe(BLOCK_BYTES);
    const bytes = readFully(this.#file, buffer, block * BLOCK_BYTES);
    this.#held.set(block, bytes);
    return bytes;
  }

  async #release(block: number): Promise<void> {
    const left = (this.#wanted[block] ?? 0) - 1;
    this.#wanted[block] = left;
    const held = this.#held.get(block);
    if (left === 0 && held !== undefined) {
      this.#held.delete(block);
      const { buffer, byteOffset } = await held;
      this.#free.push(Buffer.from(buffer, byteOffset, BLOCK_BYTES));
    }
  }
}

function blocksOf([from, end]: Extent): readonly number[] {
  const first = Math.floor(from / BLOCK_BYTES);
  const last = Math.floor((end - 1) / BLOCK_BYTES);
  return first === last
    ? [first]
    : Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Shorter where the file ends. */
export async function readFully(file: FileHandle, buffer: Buffer, offset: number): Promise<Buffer> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, offset + length);
    if (bytesRead === 0) {
      break;
    }
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

const PIECE_BYTES = 1 << 20;

/** Writes one thing behind another, in large pieces; while one is written the next one is filled. */
export class PieceWriter {
  readonly #to: FileHandle;
  readonly #beforeWriting: (end: number) => Promise<void>;
  #buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #other = Buffer.allocUnsafe(PIECE_BYTES);
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();
  #at: number;

  /** `beforeWriting` is waited for before anything up to `end` is written. */
  constructor(to: FileHandle, at: number, beforeWriting: (end: number) => Promise<void>) {
    this.#to = to;
    this.#at = at;
    this.#beforeWriting = beforeWriting;
  }

  /** Where the next bytes will be. */
  get position(): number {
    return this.#at + this.#filled;
  }

  /** Whether `bytes` more can be put without a flush. */
  hasRoom(bytes: number): boolean {
    return this.#filled + bytes <= PIECE_BYTES;
  }

  /** There must be room. */
  put(bytes: Buffer): void {
    bytes.copy(this.#buffer, this.#filled);
    this.#filled += bytes.length;
  }

  /** Makes room. Rejects also when the piece before could not be written. */
  async flush(): Promise<void> {
    await this.#writing;
    const piece = this.#buffer.subarray(0, this.#filled);
    const at = this.#at;
    await this.#beforeWriting(at + piece.length);
    this.#writing = writeAt(this.#to, piece, at);
    // Whoever flushes next is told.
    this.#writing.catch(() => {});
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    this.#at += this.#filled;
    this.#filled = 0;
  }

  /** All has been written when this resolves. */
  async end(): Promise<void> {
    await this.flush();
    await this.#writing;
  }
}

/** Writes all of it, however often it takes. */
export async function writeAt(to: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await to.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
