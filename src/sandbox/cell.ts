/**
 * Runs a program that writes into a directory, in a cell from which nothing else can be reached: see
 * `cell-script.ts`. For programs that write what somebody else decided, such as tar.
 */
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Context } from '../events/event.ts';
import { FILE_SCRIPT, STREAM_SCRIPT } from './cell-script.ts';
import { namespaceArgv } from './namespace.ts';
import { eachLine, start } from './process.ts';

export interface CellRequest {
  /** The directory, absolute and without links; `/target` in the cell. */
  readonly target: string;
  /** Name and arguments of the program. In the cell it finds itself, its libraries and nothing else. */
  readonly write: readonly string[];
  readonly input: CellInput;
}

/** What the program reads. */
export type CellInput =
  /** An open file, which is `/input` in the cell. */
  | { readonly kind: 'file'; readonly fd: number }
  /** An open file, on its standard input; through a program outside of the cell, unless that is empty. */
  | { readonly kind: 'stdin'; readonly fd: number; readonly through: readonly string[] }
  /** A stream of ours, on its standard input. */
  | { readonly kind: 'stream'; readonly from: Readable };

export interface CellReport {
  /** Statuses as a shell counts them; undefined where the cell could not be made. */
  readonly feeder: number | undefined;
  readonly writer: number | undefined;
  /** Why the stream did not come to its end; not that nobody would read on. */
  readonly inputError: NodeJS.ErrnoException | undefined;
  /** Lines of the writer's standard output. */
  readonly printed: readonly string[];
  /** The first lines on standard error, of all. */
  readonly said: readonly string[];
}

/** A program may complain of each file that it writes. */
const MOST_LINES = 200;

/** Never fails: what the programs did is in the report. Stops them when `context.signal` says so. */
export async function runInCell(request: CellRequest, context: Context): Promise<CellReport> {
  const running = start(
    {
      argv: namespaceArgv(['bash', '-c', ...scriptArguments(request)]),
      env: { ...context.toolEnvironment, LC_ALL: 'C' },
      output: 'separate',
      extra: [request.input.kind === 'stream' ? 'to-child' : { fd: request.input.fd }],
    },
    context.signal,
  );
  const printed: string[] = [];
  const said: string[] = [];
  const [inputError] = await Promise.all([
    feed(request.input, running.extra[0]),
    running.exit,
    eachLine(running.stdout, (line) => keep(printed, line)),
    eachLine(running.stderr, (line) => keep(said, line)),
  ]);
  return { ...statusesIn(printed), inputError, printed, said };
}

/** That the other side has gone; why is in its status. */
const NOBODY_READS = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'];

/** Sends a stream to the cell; never rejects. */
async function feed(
  input: CellInput,
  cell: Writable | undefined,
): Promise<NodeJS.ErrnoException | undefined> {
  if (input.kind !== 'stream' || cell === undefined) {
    return undefined;
  }
  try {
    await pipeline(input.from, cell);
    return undefined;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return NOBODY_READS.includes(code) ? undefined : (error as NodeJS.ErrnoException);
  }
}

function scriptArguments({ target, write, input }: CellRequest): readonly string[] {
  const [writer = '', ...args] = write;
  if (input.kind === 'file') {
    return [FILE_SCRIPT, 'cell', target, writer, ...args];
  }
  const through = input.kind === 'stdin' ? input.through : [];
  return [STREAM_SCRIPT, 'cell', target, writer, String(through.length), ...through, ...args];
}

/** The last line always: it has the statuses. */
function keep(lines: string[], line: string): void {
  if (lines.length === MOST_LINES) {
    lines.pop();
  }
  lines.push(line);
}

function statusesIn(printed: readonly string[]): Pick<CellReport, 'feeder' | 'writer'> {
  const match = /^ended (\d+) (\d+)$/.exec(printed.at(-1) ?? '');
  return match === null
    ? { feeder: undefined, writer: undefined }
    : { feeder: Number(match[1]), writer: Number(match[2]) };
}
