/** Writes events as JSON lines to a stream: a file, or the pipe to another process. */
import type { Writable } from 'node:stream';
import type { BuildEvent } from './event.ts';
import { renderEventLine } from './event-lines.ts';
import type { Reader } from './reader.ts';

/**
 * A reader that never blocks: what the stream does not take at once waits in memory. Who produces
 * a lot awaits `drained()` now and then, and so goes at the pace of the slowest.
 *
 * The stream stays the caller's to end. A pipe whose reader is gone is written to no more; any
 * other error of the stream is thrown at the next event, and at the end.
 */
export class JsonLines implements Reader {
  readonly name: string;
  readonly #stream: Writable;
  #error: NodeJS.ErrnoException | undefined;

  constructor(stream: Writable, name = 'the event stream') {
    this.name = name;
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#error ??= error;
    });
  }

  receive(event: BuildEvent): void {
    this.#assertWorking();
    if (this.#error === undefined && this.#stream.writable) {
      this.#stream.write(renderEventLine(event));
    }
  }

  #assertWorking(): void {
    if (this.#error !== undefined && this.#error.code !== 'EPIPE') {
      throw this.#error;
    }
  }

  drained(): Promise<void> {
    if (!this.#stream.writable || this.#stream.writableLength === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      // The callback also runs, with an error, when the stream breaks before.
      this.#stream.write('', () => resolve());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drained();
    this.#assertWorking();
  }
}
