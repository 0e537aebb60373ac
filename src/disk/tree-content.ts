/** What archives and compressed images are made of: how much there is, and how well it compresses. */
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import type { Context } from '../events/event.ts';
import { listEntries, pathOf } from './list-entries.ts';
import { MOST_HEADER_BYTES, tarBytes } from './tar-bytes.ts';
import type { TreeEntry } from './tree-need.ts';

export interface TreeContent {
  /** Of a plain tar, at least: headers and contents. */
  readonly archiveBytes: number;
  /** With as long a header as one of ordinary files gets. */
  readonly mostArchiveBytes: number;
  /** Of the files alone. */
  readonly fileBytes: number;
}

export async function measureContent(tree: string, context: Context): Promise<TreeContent> {
  let [archiveBytes, fileBytes, entries] = [0, 0, 0];
  for await (const { entry, isFile } of listContent(tree, context)) {
    const bytes = isFile ? entry.sizeBytes : 0;
    entries += 1;
    fileBytes += bytes;
    archiveBytes += tarBytes(bytes);
  }
  return { archiveBytes, mostArchiveBytes: archiveBytes + entries * MOST_HEADER_BYTES, fileBytes };
}

const PROBES = 128;
const PROBE_BYTES = 64 * 1024;

/**
 * What deflate leaves of the content, from 0 to 1: of 128 pieces, at even distances in all that the files of the tree have
 * one after the other. Measured on parts of /usr: within 2 % of what gzip makes of all of it.
 */
export async function sampleShare(
  tree: string,
  { fileBytes }: Pick<TreeContent, 'fileBytes'>,
  context: Context,
): Promise<number> {
  const sample = new Sample(fileBytes);
  for await (const { entry, isFile } of listContent(tree, context)) {
    if (isFile) {
      await sample.pass(entry.sizeBytes, () => open(pathOf(tree, entry), 'r'));
    }
  }
  return await sample.share();
}

/** The entries; of several names of one file only the first is one. */
async function* listContent(
  tree: string,
  context: Context,
): AsyncGenerator<{ readonly entry: TreeEntry; readonly isFile: boolean }> {
  const seen = new Set<string>();
  for await (const entry of listEntries(tree, [], context)) {
    const { type, links, inode } = entry;
    yield { entry, isFile: type === 'f' && !(links > 1 && seen.has(inode)) };
    if (links > 1) {
      seen.add(inode);
    }
  }
}

const deflate = promisify(deflateRaw);

/** Looks at pieces of files that pass by in a row. */
class Sample {
  /** From the start of a piece to the start of the next. */
  readonly #distance: number;
  /** Where the row has come to. */
  #at = 0;
  #pieceFrom = 0;
  #piece: Buffer[] = [];
  #pieceBytes = 0;
  #readBytes = 0;
  #leftBytes = 0;

  constructor(totalBytes: number) {
    this.#distance = Math.max(PROBE_BYTES, Math.ceil(totalBytes / PROBES));
  }

  async pass(sizeBytes: number, openFile: () => Promise<FileHandle>): Promise<void> {
    const start = this.#at;
    this.#at += sizeBytes;
    if (this.#next >= this.#at) {
      return;
    }
    const file = await openFile();
    try {
      while (this.#next < this.#at) {
        await this.#read(file, start);
      }
    } finally {
      await file.close();
    }
  }

  async share(): Promise<number> {
    await this.#endPiece();
    return this.#readBytes === 0 ? 0 : this.#leftBytes / this.#readBytes;
  }

  get #next(): number {
    return this.#pieceFrom + this.#pieceBytes;
  }

  async #read(file: FileHandle, start: number): Promise<void> {
    const length = Math.min(PROBE_BYTES - this.#pieceBytes, this.#at - this.#next);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(length),
      0,
      length,
      this.#next - start,
    );
    this.#piece.push(buffer.subarray(0, bytesRead));
    this.#pieceBytes += length;
    if (this.#pieceBytes === PROBE_BYTES) {
      await this.#endPiece();
    }
  }

  async #endPiece(): Promise<void> {
    const bytes = Buffer.concat(this.#piece);
    if (bytes.length > 0) {
      this.#readBytes += bytes.length;
      this.#leftBytes += (await deflate(bytes)).length;
    }
    this.#piece = [];
    this.#pieceBytes = 0;
    this.#pieceFrom += this.#distance;
  }
}
