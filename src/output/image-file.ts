/**
 * The file of an image that is written as a stream.
 *
 * Measured with a tar of 800 MB: with room for a mebibyte in the stream it is written in half the time, because the
 * pieces of 64 KiB that come from a pipe are written many at a time. An image gets its name only once the disk has it
 * (`cache/publish.ts`); so that nobody waits for all of it then, the disk takes it piece by piece meanwhile.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';

const ROOM_BYTES = 1 << 20;

/** What waits in memory before the disk is asked to take it. */
const BATCH_BYTES = 64 << 20;

export class ImageFile {
  /** Its errors say which file they are about, which those of a write do not. */
  readonly stream: WriteStream;
  /** Resolves when the stream has ended and all is written; rejects with its first error, or the disk's. */
  readonly done: Promise<void>;
  readonly #path: string;
  /** How much had been written when the disk was asked last. */
  #asked = 0;
  #flushing: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.stream = createWriteStream(path, { highWaterMark: ROOM_BYTES });
    this.stream.prependListener('error', (error) => {
      Object.assign(error, { path });
    });
    this.done = finished(this.stream).then(() => this.#flushing);
  }

  /** Told after each piece. */
  wrote(): void {
    const { bytesWritten } = this.stream;
    if (this.#flushing !== undefined || bytesWritten - this.#asked < BATCH_BYTES) {
      return;
    }
    this.#asked = bytesWritten;
    this.#flushing = this.#flush();
    this.#flushing.then(
      () => {
        this.#flushing = undefined;
      },
      // The kernel tells each error once: whoever publishes the image would not hear of it.
      (error: Error) => this.stream.destroy(error),
    );
  }

  /** With a handle of its own: the stream may be closed meanwhile. */
  async #flush(): Promise<void> {
    await using file = await open(this.#path, 'r');
    await file.datasync();
  }
}
