/**
 * The view for a terminal: a few lines that are redrawn in place, and above them what lasts.
 *
 *     drawing ──break-start──▶ paused (the terminal is a shell's) ──break-end──▶ drawing ──▶ closed
 */
import type { Writable } from 'node:stream';
import { displayText } from './display-text.ts';
import type { BuildEvent } from './event.ts';
import {
  INITIAL_LIVE_STATE,
  type LiveStyle,
  lastingLines,
  nextLiveState,
  renderFrame,
} from './live-frame.ts';
import type { Reader } from './reader.ts';
import type { Terminal } from './terminal.ts';
import { TolerantWriter } from './tolerant-writer.ts';

/** A terminal's stream, as `process.stdout` is one. */
export interface TerminalStream extends Writable {
  readonly columns?: number;
  readonly rows?: number;
  readonly isTTY?: boolean;
}

/** How the view looks and what it knows beforehand. */
export interface LiveViewOptions {
  readonly terminal: Pick<Terminal, 'color' | 'unicode'>;
  /** The names of all phases in order. */
  readonly phases: readonly string[];
  /** Time and timer, for tests. `every` returns what stops it. */
  readonly clock?: Clock;
}

/** Where the view's time comes from. */
export interface Clock {
  now(): number;
  every(intervalMs: number, tick: () => void): () => void;
}

const REDRAW_MS = 100;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

const SYSTEM_CLOCK: Clock = {
  now: Date.now,
  every: (intervalMs, tick) => {
    const timer = setInterval(tick, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/**
 * Opens the live view on a terminal. Dispose it, or it is the exit of the process, signals
 * included, that gives the cursor back (cli-cursor sees to that).
 */
export async function openLiveView(
  stream: TerminalStream,
  options: LiveViewOptions,
): Promise<Reader> {
  const [{ createLogUpdate }, { default: cursor }, { default: widthOf }] = await Promise.all([
    import('log-update'),
    import('cli-cursor'),
    import('string-width'),
  ]);
  const writer = new TolerantWriter(stream);
  const surface = surfaceOf(stream, writer);
  return new LiveView({
    update: createLogUpdate(surface, { showCursor: true }),
    writer,
    hideCursor: () => cursor.hide(surface),
    showCursor: () => cursor.show(surface),
    clock: options.clock ?? SYSTEM_CLOCK,
    rows: () => stream.rows || DEFAULT_ROWS,
    style: () => ({
      ...options.terminal,
      widthOf,
      phases: options.phases,
      columns: stream.columns || DEFAULT_COLUMNS,
    }),
  });
}

// What log-update and cli-cursor use of a stream, so that a terminal that goes away stops nothing.
function surfaceOf(stream: TerminalStream, writer: TolerantWriter): NodeJS.WritableStream {
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns || DEFAULT_COLUMNS;
    },
    get rows() {
      return stream.rows || DEFAULT_ROWS;
    },
    write: (text: string) => {
      writer.write(text);
      return true;
    },
  } as unknown as NodeJS.WritableStream;
}

interface Parts {
  readonly update: { (text: string): void; clear(): void };
  readonly writer: TolerantWriter;
  readonly hideCursor: () => void;
  readonly showCursor: () => void;
  readonly clock: Clock;
  readonly rows: () => number;
  readonly style: () => LiveStyle;
}

class LiveView implements Reader {
  readonly name = 'the terminal';
  readonly #parts: Parts;
  #state = INITIAL_LIVE_STATE;
  /** Lasting lines that wait for the next redraw. */
  #pending: string[] = [];
  #stopTimer: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#resume();
  }

  receive(event: BuildEvent): void {
    this.#pending.push(...lastingLines(event, this.#state, this.#parts.style()));
    this.#state = nextLiveState(this.#state, event);
    if (event.kind === 'break-start' || event.kind === 'build-end') {
      this.#pause();
      this.#parts.writer.write(
        event.kind === 'build-end' ? '' : asText(event.lines.map(displayText)),
      );
    } else if (event.kind === 'break-end') {
      this.#resume();
    }
  }

  #resume(): void {
    this.#parts.hideCursor();
    this.#stopTimer ??= this.#parts.clock.every(REDRAW_MS, () => this.#draw());
  }

  /** Leaves the terminal as a shell wants it: block gone, cursor back, nothing of ours to come. */
  #pause(): void {
    this.#writeAbove();
    if (this.#stopTimer !== undefined) {
      this.#stopTimer();
      this.#stopTimer = undefined;
      this.#parts.update.clear();
      this.#parts.showCursor();
    }
  }

  #draw(): void {
    this.#writeAbove();
    const frame = renderFrame(this.#state, this.#parts.clock.now(), this.#parts.style());
    if (frame.length === 0) {
      this.#parts.update.clear();
    } else {
      // One row stays free for the cursor: a block that scrolls cannot be erased.
      this.#parts.update(frame.slice(0, Math.max(1, this.#parts.rows() - 1)).join('\n'));
    }
  }

  #writeAbove(): void {
    if (this.#pending.length > 0) {
      this.#parts.update.clear();
      this.#parts.writer.write(asText(this.#pending));
      this.#pending = [];
    }
  }

  drained(): Promise<void> {
    return this.#parts.writer.drained();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#pause();
    return this.#parts.writer.drained();
  }
}

function asText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
