/** Tools that read or write a stream of bytes on their standard input and output. */
import type { Readable, Writable } from 'node:stream';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { eachLine, start, type ToolOptions, toolFailure } from './process.ts';

export interface ToolStream {
  /** Undefined unless it was asked for with `true`. */
  readonly input: Writable | undefined;
  readonly output: Readable;
  /**
   * Resolves when the tool has ended well and its output has been read. Rejects with what `runTool`
   * throws.
   */
  readonly done: Promise<void>;
}

const KEPT_LINES = 20;

/** Starts a tool; what it says on standard error becomes events and part of a failure. */
export function startTool(
  argv: readonly [string, ...string[]],
  context: Context,
  options: Pick<ToolOptions, 'env' | 'hint'> & { readonly input?: boolean | Buffer } = {},
): ToolStream {
  const { input = false } = options;
  const running = start(
    {
      argv,
      env: { ...context.toolEnvironment, ...options.env },
      output: 'separate',
      stdin: Buffer.isBuffer(input) ? { text: input } : input ? 'pipe' : 'ignore',
    },
    context.signal,
  );
  const { stdout } = running;
  if (stdout === undefined) {
    throw new Error(`${argv[0]} has no standard output`);
  }
  // A tool that ends early is told by its status, which says more than a broken pipe.
  running.input?.on('error', () => {});
  const done = ended(argv, running, { context, hint: options.hint });
  // Whoever waits gets the rejection; nobody has to be waiting yet.
  done.catch(() => {});
  return { input: input === true ? running.input : undefined, output: stdout, done };
}

async function ended(
  argv: readonly [string, ...string[]],
  running: ReturnType<typeof start>,
  { context, hint }: { readonly context: Context; readonly hint: string | undefined },
): Promise<void> {
  const said: string[] = [];
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.stderr, (line) => {
      said.push(line);
      said.splice(0, said.length - KEPT_LINES);
      context.emit({ kind: 'output', line });
    }),
  ]);
  if (exit.kind !== 'code' || exit.code !== 0) {
    throw new Failed(toolFailure(argv, exit, { said, hint }));
  }
}
