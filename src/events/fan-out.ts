/** One `Emit` for many readers. */
import type { BuildEvent, Emit, EventBody } from './event.ts';
import type { Reader } from './reader.ts';
import { redactEvent } from './redact.ts';
import { cannotComplete } from './unwritable.ts';

/**
 * Stamps each event, takes credentials out of it and gives it to every reader, in order.
 *
 * A reader that throws is dropped with a warning to the others: nobody's console may break a
 * build. Disposing ends all readers; the first thing that goes wrong there is thrown as a `Failed`.
 */
export class FanOut implements AsyncDisposable {
  #readers: Reader[];
  // A dropped reader must still give back what it holds (a terminal's cursor, a file).
  #owned: readonly Reader[];
  readonly #now: () => number;
  // A reader's failure becomes an event in the middle of another one: order needs a queue.
  readonly #queue: BuildEvent[] = [];
  #delivering = false;

  /** `now` is milliseconds since the epoch. */
  constructor(readers: readonly Reader[], now: () => number = Date.now) {
    this.#readers = [...readers];
    this.#owned = readers;
    this.#now = now;
  }

  /** Where the engine puts its events. */
  readonly emit: Emit = (body) => this.pass({ ...body, at: this.#now() });

  /** Passes on an event that has its time already, such as one from another process. */
  pass(event: BuildEvent): void {
    this.#queue.push(redactEvent<BuildEvent>(event));
    if (this.#delivering) {
      return;
    }
    this.#delivering = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#deliver(next);
    }
    this.#delivering = false;
  }

  #deliver(event: BuildEvent): void {
    for (const reader of this.#readers) {
      try {
        reader.receive(event);
      } catch (error) {
        this.#readers = this.#readers.filter((other) => other !== reader);
        this.#queue.push({ ...droppedWarning(reader, error), at: event.at });
      }
    }
  }

  /** Resolves once every reader has caught up. */
  async drained(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.drained?.()));
  }

  /** Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    const owned = this.#owned;
    this.#readers = [];
    this.#owned = [];
    const ends = await Promise.allSettled(
      owned.map(async (reader) => reader[Symbol.asyncDispose]()),
    );
    for (const [index, end] of ends.entries()) {
      if (end.status === 'rejected') {
        throw cannotComplete(owned[index]?.name ?? 'the events', end.reason);
      }
    }
  }
}

function droppedWarning(reader: Reader, error: unknown): EventBody {
  const reason = error instanceof Error ? error.message : String(error);
  return {
    kind: 'message',
    level: 'warning',
    text: `Cannot go on writing to ${reader.name}: ${reason}`,
  };
}
