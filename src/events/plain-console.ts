/** The log on a stream that is no terminal, or one that cannot redraw. */
import type { Writable } from 'node:stream';
import { type CiLog, ciMarks } from './ci-log.ts';
import type { BuildEvent } from './event.ts';
import { INITIAL_LOG_STATE, logLines, nextLogState, renderTimestamp } from './lines.ts';
import type { Reader } from './reader.ts';
import { TolerantWriter } from './tolerant-writer.ts';

/** Writes the log's lines to a stream as events arrive. Survives a reader that goes away. */
export class PlainConsole implements Reader {
  readonly name = 'the console';
  readonly #writer: TolerantWriter;
  readonly #timestamps: boolean;
  readonly #ci: CiLog | undefined;
  #state = INITIAL_LOG_STATE;
  #group: string | undefined;

  /** `ci`: groups and annotations for that system go between the lines. */
  constructor(
    stream: Writable,
    options: { readonly timestamps: boolean; readonly ci?: CiLog | undefined },
  ) {
    this.#writer = new TolerantWriter(stream);
    this.#timestamps = options.timestamps;
    this.#ci = options.ci;
  }

  receive(event: BuildEvent): void {
    // The command reports a failure itself, on standard error: not twice.
    const lines =
      event.kind === 'build-end' && event.failure !== undefined ? [] : logLines(event, this.#state);
    this.#state = nextLogState(this.#state, event);
    const prefix = this.#timestamps ? renderTimestamp(event.at) : '';
    const text = lines.map((line) => `${prefix}${line}\n`).join('');
    if (this.#ci === undefined) {
      this.#writer.write(text);
      return;
    }
    const { before, after, open } = ciMarks(this.#ci, event, this.#group);
    this.#group = open;
    this.#writer.write(before + text + after);
  }

  drained(): Promise<void> {
    return this.#writer.drained();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#writer.drained();
  }
}
