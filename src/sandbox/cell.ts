/**
 * Runs a program that writes into a directory, in a cell from which nothing else can be reached: see
 * `cell-script.ts`. For programs that write what somebody else decided, such as tar.
 */
import type { Context } from '../events/event.ts';
import { FILE_SCRIPT, STREAM_SCRIPT } from './cell-script.ts';
import { namespaceArgv } from './namespace.ts';
import { eachLine, start } from './process.ts';

export interface CellRequest {
  /** The directory, absolute and without links; `/target` in the cell. */
  readonly target: string;
  /** Name and arguments of the program. In the cell it finds itself, its libraries and nothing else. */
  readonly write: readonly string[];
  /** An open file that it reads. */
  readonly inputFd: number;
  /**
   * A program outside the cell that the input goes through on its way to the other one's standard
   * input. Empty: none, the input is the file `/input` in the cell.
   */
  readonly feed: readonly string[];
}

export interface CellReport {
  /** Statuses as a shell counts them; undefined where the cell could not be made. */
  readonly feeder: number | undefined;
  readonly writer: number | undefined;
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
      extra: [{ fd: request.inputFd }],
    },
    context.signal,
  );
  const printed: string[] = [];
  const said: string[] = [];
  await Promise.all([
    running.exit,
    eachLine(running.stdout, (line) => keep(printed, line)),
    eachLine(running.stderr, (line) => keep(said, line)),
  ]);
  return { ...statusesIn(printed), printed, said };
}

function scriptArguments({ target, write, feed }: CellRequest): readonly string[] {
  const [writer = '', ...args] = write;
  return feed.length === 0
    ? [FILE_SCRIPT, 'cell', target, writer, ...args]
    : [STREAM_SCRIPT, 'cell', target, writer, String(feed.length), ...feed, ...args];
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
