/**
 * One stream into many files: read once, compressed beside each other, hashed on the way.
 *
 *                    ┌──▶ file.tar, sums
 *     tar ── chunk ──┼──▶ gzip ──▶ file.tgz, sums
 *                    └──▶ zstd ──▶ file.tar.zst, sums
 *
 * The slowest sink sets the pace: a chunk is given up when everybody has taken it.
 */
import type { Readable, Writable } from 'node:stream';
import type { Context } from '../events/event.ts';
import type { ChecksumName } from '../plan/build-plan.ts';
import { startTool } from '../sandbox/tool-stream.ts';
import { Digests } from './checksum.ts';
import { ImageFile } from './image-file.ts';
import type { Argv } from './writer.ts';

export interface Sink {
  /** Absent: only the sums are wanted. */
  readonly file?: string;
  readonly through?: Argv;
  /** For `through`, added to the environment of our tools. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether `through` writes the file by itself; no sums are taken then. */
  readonly itself?: true;
  /** Changes the first bytes that `through` writes, in place. */
  readonly head?: (bytes: Buffer) => void;
  readonly hint?: string;
}

/** Pours `source` into all sinks; their digests come back in the same order. @throws Failed */
export async function pour(
  source: AsyncIterable<Buffer>,
  sinks: readonly Sink[],
  how: { readonly checksums: readonly ChecksumName[]; readonly context: Context },
): Promise<readonly Digests[]> {
  const open = sinks.map((sink) => new OpenSink(sink, how));
  try {
    for await (const chunk of source) {
      await Promise.all(open.map((sink) => sink.write(chunk)));
    }
    await Promise.all(open.map((sink) => sink.end()));
  } catch (error) {
    for (const sink of open) {
      sink.destroy();
    }
    throw error;
  }
  return open.map(({ digests }) => digests);
}

class OpenSink {
  readonly digests: Digests;
  readonly #first: Writable | undefined;
  /** The file, where what is written goes into it as it is. */
  readonly #direct: ImageFile | undefined;
  readonly #done: Promise<void>;
  readonly #streams: Writable[] = [];
  readonly #hashing: boolean;

  constructor(
    sink: Sink,
    how: { readonly checksums: readonly ChecksumName[]; readonly context: Context },
  ) {
    this.digests = new Digests(how.checksums);
    const hasFile = sink.file !== undefined && sink.itself !== true;
    const file = hasFile ? new ImageFile(String(sink.file)) : undefined;
    if (file !== undefined) {
      this.#open(file.stream);
    }
    this.#hashing = sink.through === undefined;
    if (sink.through === undefined) {
      this.#first = file?.stream;
      this.#direct = file;
      this.#done = file === undefined ? Promise.resolve() : file.done;
    } else {
      const { input, output, done } = startTool(sink.through, how.context, {
        input: true,
        ...(sink.env === undefined ? {} : { env: sink.env }),
        ...(sink.hint === undefined ? {} : { hint: sink.hint }),
      });
      this.#first = input === undefined ? undefined : this.#open(input);
      this.#done = Promise.all([this.#drain(output, file, sink.head), done]).then(() => {});
    }
    this.#done.catch(() => {});
  }

  /** Resolves when more may come. Rejects as soon as the sink has failed. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#hashing) {
      this.digests.update(chunk);
    }
    await put(this.#first, chunk, this.#done);
    this.#direct?.wrote();
  }

  async end(): Promise<void> {
    this.#first?.end();
    await this.#done;
  }

  destroy(): void {
    for (const stream of this.#streams) {
      stream.destroy();
    }
  }

  #open<T extends Writable>(stream: T): T {
    this.#streams.push(stream);
    return stream;
  }

  /** From the program's output into the file. */
  async #drain(
    output: Readable,
    file: ImageFile | undefined,
    head: ((bytes: Buffer) => void) | undefined,
  ): Promise<void> {
    let change = head;
    const written = file === undefined ? Promise.resolve() : file.done;
    written.catch(() => {});
    for await (const chunk of output) {
      change?.(chunk as Buffer);
      change = undefined;
      this.digests.update(chunk as Buffer);
      await put(file?.stream, chunk as Buffer, written);
      file?.wrote();
    }
    file?.stream.end();
    await written;
  }
}

/** Writes, and waits while the stream is full. A stream that has broken says why through `done`. */
async function put(
  stream: Writable | undefined,
  chunk: Buffer,
  done: Promise<void>,
): Promise<void> {
  if (stream === undefined || stream.write(chunk)) {
    return;
  }
  if (!stream.destroyed) {
    await new Promise<void>((resolve) => {
      const go = (): void => {
        stream.off('drain', go).off('close', go);
        resolve();
      };
      stream.on('drain', go).on('close', go);
    });
  }
  if (stream.destroyed) {
    await done;
  }
}
