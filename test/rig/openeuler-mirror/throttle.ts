/** A line to the mirror that is as slow as one from afar. */
import { setTimeout } from 'node:timers/promises';

/** What all connections share. */
export class Throttle {
  readonly #bytesPerMs: number;
  /** When the line has sent what it was given; of `performance.now()`. */
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Passes a stream on at the pace of the line. */
  async *pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.#freeAt = Math.max(this.#freeAt, performance.now()) + chunk.length / this.#bytesPerMs;
      await setTimeout(this.#freeAt - performance.now());
      yield chunk;
    }
  }
}
