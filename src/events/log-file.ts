/** The log in a file. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { BuildEvent } from './event.ts';
import type { FailureContext } from './failure-text.ts';
import { INITIAL_LOG_STATE, logLines, nextLogState, renderTimestamp } from './lines.ts';
import type { Reader } from './reader.ts';
import { cannotOpen } from './unwritable.ts';

/**
 * Appends the log to a file, every line with its time. Written line by line, so that the file is
 * complete up to the moment of a SIGKILL; flushed to the disk at the end.
 */
export class LogFile implements Reader {
  readonly name: string;
  readonly #context: FailureContext;
  #descriptor: number | undefined;
  #state = INITIAL_LOG_STATE;
  #fault: Error | undefined;

  /** @throws Failed `config`: the file cannot be opened for appending. Its directory must exist. */
  constructor(path: string, context: FailureContext = {}) {
    this.name = `the log file "${path}"`;
    this.#context = context;
    try {
      this.#descriptor = openSync(path, 'a', 0o644);
    } catch (error) {
      throw cannotOpen({ name: this.name, path, option: '--logfile' }, error);
    }
  }

  receive(event: BuildEvent): void {
    const prefix = renderTimestamp(event.at);
    const lines = logLines(event, this.#state, this.#context);
    this.#state = nextLogState(this.#state, event);
    if (this.#descriptor !== undefined && lines.length > 0) {
      const text = lines.map((line) => `${prefix}${line}\n`).join('');
      try {
        writeAll(this.#descriptor, Buffer.from(text));
      } catch (error) {
        // Thrown at the end, too: whoever has a log file may see nothing else.
        this.#fault ??= error as Error;
        throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) {
      return;
    }
    try {
      flush(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
  }
}

// A write may be cut short: by a full disk (the next one then throws), or into a pipe.
function writeAll(descriptor: number, bytes: Buffer): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written);
  }
}

function flush(descriptor: number): void {
  try {
    fsyncSync(descriptor);
  } catch (error) {
    // Source: fsync(2): EINVAL for files that cannot be flushed, such as a pipe or /dev/null.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') {
      throw error;
    }
  }
}
