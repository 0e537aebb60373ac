/**
 * Puts the extended attributes of each member of an archive into one order.
 *
 * The kernel lists them as the file system keeps them, which a tmpfs does in another order than an
 * ext4, and tar writes them as they are listed. Nothing else changes, not even a length.
 */
import {
  BLOCK_BYTES,
  contentBytes,
  inOrder,
  isZeroBlock,
  paddedBytes,
  readBlock,
  readRecords,
  recordOf,
  renderRecords,
} from './tar-records.ts';

/** The same archive in that order, in pieces of any length. */
export async function* inTarOrder(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const order = new TarOrder();
  for await (const chunk of archive) {
    const done = order.push(chunk);
    if (done.length > 0) {
      yield done;
    }
  }
  yield order.rest;
}

class TarOrder {
  /** A header that has not come whole yet. */
  rest: Buffer = Buffer.alloc(0);
  /** Bytes of content before the next header. */
  #content = 0;
  /** What an extended header says of the size of its member. */
  #size: string | undefined;

  push(chunk: Buffer): Buffer {
    const input = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    for (let taken = this.#take(input); taken > 0; taken = this.#take(input.subarray(at))) {
      at += taken;
    }
    // A copy: what we were given belongs to a larger buffer that would stay alive with it.
    this.rest = Buffer.from(input.subarray(at));
    return input.subarray(0, at);
  }

  /** How much of the start of `input` is done; 0 when more is needed. */
  #take(input: Buffer): number {
    if (this.#content > 0) {
      const taken = Math.min(this.#content, input.length);
      this.#content -= taken;
      return taken;
    }
    if (input.length < BLOCK_BYTES) {
      return 0;
    }
    const block = input.subarray(0, BLOCK_BYTES);
    if (isZeroBlock(block)) {
      return BLOCK_BYTES;
    }
    const { type, sizeBytes } = readBlock(block);
    if (type === 'x') {
      return this.#takeRecords(input, sizeBytes);
    }
    this.#content = contentBytes(type, Number(this.#size ?? sizeBytes));
    this.#size = undefined;
    return BLOCK_BYTES;
  }

  #takeRecords(input: Buffer, sizeBytes: number): number {
    const length = BLOCK_BYTES + paddedBytes(sizeBytes);
    if (input.length < length) {
      return 0;
    }
    const records = readRecords(input.subarray(BLOCK_BYTES, BLOCK_BYTES + sizeBytes));
    this.#size = recordOf(records, 'size');
    renderRecords(inOrder(records), input.subarray(0, BLOCK_BYTES)).copy(input);
    return length;
  }
}
