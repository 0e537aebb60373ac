/**
 * The bytes of an answer between the connection that brings them and whoever takes them.
 *
 * Unlike a stream of Node's, it gives out all that has arrived before it says that the connection
 * broke: what a resumed download has, it need not ask for again.
 */

const FULL_BYTES = 1 << 18;

/** What a connection offers. */
export interface Valve {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

export class BodyQueue implements AsyncIterable<Uint8Array> {
  readonly #valve: Valve;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(valve: Valve) {
    this.#valve = valve;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= FULL_BYTES) {
      this.#valve.pause();
    }
    this.#wake?.();
  }

  /** Nothing comes any more; with an error, because something broke. */
  end(error?: Error): void {
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }

  /** Gives up what may still come. */
  destroy(): void {
    if (!this.#ended) {
      this.end();
      this.#valve.abort(new Error('The answer is not wanted any more'));
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunks = this.#chunks;
      this.#chunks = [];
      this.#bytes = 0;
      yield* chunks;
      if (this.#chunks.length === 0) {
        if (this.#error !== undefined) {
          throw this.#error;
        }
        if (this.#ended) {
          return;
        }
        const more = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        // It may bring something at once: after there is somebody to wake.
        this.#valve.resume();
        await more;
      }
    }
  }
}
