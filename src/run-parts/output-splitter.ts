/**
 * Cuts the driver's one output stream into the lines that hooks print and the markers between them.
 *
 * A marker is NUL, nonce, space, text, newline, written at once. It may follow a line without a
 * newline, or fall between two pieces of a daemon's line: what stands before it is a line of its
 * own. Lines end at LF, CR LF or CR (a progress bar is a row of short lines); one that does not end
 * is passed on in pieces, so memory stays bounded.
 */

/** The longest piece of a line, in bytes. */
export const MAX_LINE_BYTES = 65_536;

const LF = 0x0a;
const CR = 0x0d;

export interface SplitterSink {
  line(text: string): void;
  marker(text: string): void;
}

export class OutputSplitter {
  readonly #sink: SplitterSink;
  readonly #prefix: Buffer;
  #pending: Buffer = Buffer.alloc(0);
  /** Set just after a CR: whether the line that it ended was empty. An LF may belong to it. */
  #afterCr: 'line' | 'empty' | undefined;

  constructor(nonce: string, sink: SplitterSink) {
    this.#sink = sink;
    this.#prefix = Buffer.from(`\0${nonce} `);
  }

  /** Takes the next bytes, and passes on every line and marker that they complete. */
  push(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#takeMarker()) {
      // Everything before a marker has been passed on with it.
    }
    const markerAt = this.#pending.indexOf(this.#prefix);
    if (markerAt < 0) {
      this.#pending = this.#takeLines(this.#pending);
    }
  }

  /** Passes on a last line that has no newline. */
  flush(): void {
    this.#emitRest(this.#takeLines(this.#pending));
    this.#pending = Buffer.alloc(0);
  }

  #takeMarker(): boolean {
    const start = this.#pending.indexOf(this.#prefix);
    const end = start < 0 ? -1 : this.#pending.indexOf(LF, start);
    if (end < 0) {
      return false;
    }
    this.#emitRest(this.#takeLines(this.#pending.subarray(0, start)));
    this.#afterCr = undefined;
    const text = this.#pending.toString('utf8', start + this.#prefix.length, end);
    this.#pending = this.#pending.subarray(end + 1);
    this.#sink.marker(text);
    return true;
  }

  /** Passes on the whole lines of `bytes` and returns the rest, shorter than the limit. */
  #takeLines(bytes: Buffer): Buffer {
    let start = 0;
    for (let at = nextBreak(bytes, 0); at >= 0; at = nextBreak(bytes, start)) {
      this.#takeLine(bytes.subarray(start, at), bytes[at] === LF);
      start = at + 1;
    }
    let rest = bytes.subarray(start);
    if (rest.length > 0) {
      this.#afterCr = undefined;
    }
    // The tail may be the beginning of a marker.
    while (rest.length > MAX_LINE_BYTES + this.#prefix.length) {
      this.#emit(rest.subarray(0, MAX_LINE_BYTES));
      rest = rest.subarray(MAX_LINE_BYTES);
    }
    return rest;
  }

  /** A CR ends a line only when there is one: else it is a progress bar's first. */
  #takeLine(line: Buffer, isLf: boolean): void {
    if (line.length > 0 || (isLf && this.#afterCr !== 'line')) {
      this.#emit(line);
    }
    if (isLf) {
      this.#afterCr = undefined;
    } else {
      this.#afterCr = line.length > 0 ? 'line' : (this.#afterCr ?? 'empty');
    }
  }

  #emitRest(rest: Buffer): void {
    if (rest.length > 0) {
      this.#emit(rest);
    }
  }

  #emit(bytes: Buffer): void {
    this.#sink.line(bytes.toString('utf8'));
  }
}

/** Where the next LF or CR is, or -1. */
function nextBreak(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(LF, from);
  const cr = (lf < 0 ? bytes : bytes.subarray(0, lf)).indexOf(CR, from);
  return cr < 0 ? lf : cr;
}
