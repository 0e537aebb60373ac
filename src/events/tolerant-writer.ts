/** Writes to a stream that may be closed by whoever reads it. */
import type { Writable } from 'node:stream';

/**
 * A closed reader (`disk-image-create | head`, a terminal that went away) ends the writing, and
 * nothing else.
 *
 * Source: signal(7), write(2): EPIPE after the reading end is gone, EIO from a terminal after a hang-up.
 */
export class TolerantWriter {
  readonly #stream: Writable;
  #open = true;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', this.#close);
  }

  readonly #close = (): void => {
    this.#open = false;
  };

  /** Whether somebody is still there to read. */
  get open(): boolean {
    return this.#open && this.#stream.writable;
  }

  write(text: string): void {
    if (!this.open || text === '') {
      return;
    }
    try {
      this.#stream.write(text);
    } catch {
      this.#open = false;
    }
  }

  /** Resolves once everything written so far has left, or nobody reads any more. */
  drained(): Promise<void> {
    if (!this.open || this.#stream.writableLength === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      // The callback also runs, with an error, when the stream breaks before.
      this.#stream.write('', () => resolve());
    });
  }
}
