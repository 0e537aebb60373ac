/**
 * Unpacks what repositories compress their metadata with, told by its first bytes, not by its name.
 *
 * gzip is Node's; xz, bzip2 and zstd are the tools of these names, which the image has: no Node that we
 * run on has all three.
 */
import type { Readable, Writable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { hostError } from '../events/failure.ts';
import { type Child, startChild } from './process.ts';

/** Takes compressed bytes; hands what is in them to the function that it was opened with. */
export interface Decompressor {
  /** Resolves when there is room for more. @throws what is wrong with the data, or with its reader. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when everything has been handed on. @throws the same. */
  end(): Promise<void>;
  /** Frees everything, at whatever point. */
  destroy(): void;
}

type Format = 'gzip' | 'xz' | 'bzip2' | 'zstd' | 'plain';

const MAGIC: readonly (readonly [format: Format, magic: Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['bzip2', Buffer.from('BZh')],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
];
/** What the longest magic number takes. */
export const MAGIC_BYTES = 6;

const CHUNK_BYTES = 256 * 1024;

export function formatOf(first: Buffer): Format {
  return MAGIC.find(([, magic]) => first.indexOf(magic) === 0)?.[0] ?? 'plain';
}

/** `first` is the start of the data, at least MAGIC_BYTES of it where there are so many. */
export function openDecompressor(
  first: Buffer,
  onData: (chunk: Buffer) => void,
  environment: Readonly<Record<string, string>>,
): Decompressor {
  const format = formatOf(first);
  switch (format) {
    case 'plain':
      return {
        write: async (chunk) => onData(chunk),
        end: async () => {},
        destroy: () => {},
      };
    case 'gzip': {
      const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
      return new Piped({ input: gunzip, output: gunzip, onData, tool: undefined });
    }
    default: {
      const child = startChild({ argv: [format, '-dc'], env: environment, stdin: 'pipe' });
      return new Piped({
        input: child.stdin,
        output: child.stdout,
        onData,
        tool: { format, child },
      });
    }
  }
}

interface Pipes {
  readonly input: Writable | undefined;
  readonly output: Readable | undefined;
  readonly onData: (chunk: Buffer) => void;
  readonly tool: Tool | undefined;
}

interface Tool {
  readonly format: string;
  readonly child: Child;
}

class Piped implements Decompressor {
  readonly #pipes: Pipes;
  readonly #ended: Promise<void>;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(pipes: Pipes) {
    this.#pipes = pipes;
    this.#ended = this.#run(pipes);
  }

  async write(chunk: Buffer): Promise<void> {
    const { input } = this.#pipes;
    const isOpen = this.#error === undefined && !this.#isOver;
    if (isOpen && input !== undefined && !input.write(chunk)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        input.once('drain', resolve);
      });
    }
    this.#check();
  }

  async end(): Promise<void> {
    if (!this.#isOver) {
      this.#pipes.input?.end();
    }
    await this.#ended;
    this.#check();
  }

  destroy(): void {
    this.#pipes.input?.destroy();
    this.#pipes.output?.destroy();
    this.#pipes.tool?.child.kill('SIGKILL');
  }

  #check(): void {
    if (this.#error !== undefined) {
      throw this.#error;
    }
  }

  /** Never rejects: what is wrong is in `#error`. */
  async #run({ output, onData, tool }: Pipes): Promise<void> {
    let broken: Error | undefined;
    try {
      // To ask for a chunk is to let the next one be unpacked, in another thread or process, meanwhile.
      for await (const chunk of output ?? []) {
        this.#hand(onData, chunk as Buffer);
        if (this.#error !== undefined) {
          break;
        }
      }
    } catch (error) {
      broken = new Error(`It is not whole gzip data: ${(error as Error).message}`);
    }
    // One that ended without reading everything drains nothing more.
    this.#isOver = true;
    this.#wake?.();
    // A tool has ended its output before it says, by its status, what it thinks of the data.
    this.#error ??= tool === undefined ? broken : await faultOf(tool);
  }

  #hand(onData: Pipes['onData'], chunk: Buffer): void {
    try {
      onData(chunk);
    } catch (error) {
      this.#error = error as Error;
    }
  }
}

async function faultOf({ format, child }: Tool): Promise<Error | undefined> {
  const exit = await child.exit;
  if (exit.kind === 'spawn-error') {
    return hostError(
      `Cannot start ${format}: ${exit.code}`,
      `Install the package that has ${format}`,
    );
  }
  const isWhole = exit.kind === 'code' && exit.code === 0;
  return isWhole ? undefined : new Error(`It is not whole ${format} data`);
}
