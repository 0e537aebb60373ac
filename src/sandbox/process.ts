/**
 * The only place where child processes start.
 *
 *     starting ──▶ running ──exit──▶ ended
 *         │           │ abort
 *         │           ▼
 *         └──────▶ stopping: TERM to the group, KILL after the grace period ──▶ ended
 *
 * Every child leads its own process group, so that stopping it stops what it started. A child that
 * takes the terminal (a debug shell) is the exception: it stays in ours.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';
import { type ExecaMethod, execa } from 'execa';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';

/** How a child ended. A child that could not be started is `spawn-error`. */
export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'spawn-error'; readonly code: string };

/** A descriptor that is open in our process and that a child shares. */
export interface Descriptor {
  readonly fd: number;
}

export interface Command {
  readonly argv: readonly [string, ...string[]];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /**
   * `ignore` (default): empty input. `inherit`: ours. `pipe`: `Running.input`. A text: exactly that.
   */
  readonly stdin?: 'ignore' | 'inherit' | 'pipe' | { readonly text: string | Buffer };
  /**
   * `lines` (default): merged. `separate`: both streams. `terminal` hands over all three streams and
   * stays in our process group. `nothing`: thrown away. `{ fd }`: both streams are this descriptor
   * of ours, so that they keep their order.
   */
  readonly output?: 'lines' | 'separate' | 'terminal' | 'nothing' | Descriptor;
  /** With `terminal`: a process group of its own all the same, so that it can be stopped as one. */
  readonly ownGroup?: boolean;
  /**
   * Extra pipes for the child, as its descriptors 3, 4, ... in this order; see `Running.extra`.
   * `{ fd }`: a descriptor of ours instead of a new pipe.
   */
  readonly extra?: readonly ('to-child' | 'from-child' | Descriptor)[];
  /** How long a child may take to end after TERM before KILL, in milliseconds. */
  readonly graceMs?: number;
}

export interface Running {
  readonly pid: number | undefined;
  /** Merged output; undefined unless `lines`. */
  readonly all: Readable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly input: Writable | undefined;
  /** Our ends of the pipes in `Command.extra`, in the same order. */
  readonly extra: readonly Duplex[];
  /** Never rejects. Resolves when the child is gone and its pipes are read or closed. */
  readonly exit: Promise<Exit>;
}

const DEFAULT_GRACE_MS = 10_000;

/** Loads what `start` needs, for who would wait for it later. */
export function prepareToStart(): unknown {
  return execa;
}

/** Starts a child; `signal` stops it and its process group. */
export function start(command: Command, signal: AbortSignal): Running {
  const inOurGroup = command.output === 'terminal' && command.ownGroup !== true;
  const [file, ...args] = command.argv;
  const child = (execa as ExecaMethod)(file, args, {
    env: command.env,
    extendEnv: false,
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    ...stdio(command),
    buffer: false,
    reject: false,
    detached: !inOurGroup,
    // The build's own process outlives its children; execa's exit handlers would run per child.
    cleanup: false,
  });
  if (typeof command.stdin === 'object') {
    // A child may end without reading its input: that is its business, not an error of ours.
    child.stdin?.on('error', () => {});
    child.stdin?.end(command.stdin.text);
  }
  const stop = (): void => {
    if (child.pid !== undefined) {
      const group = inOurGroup ? child.pid : -child.pid;
      void terminate(group, command.graceMs ?? DEFAULT_GRACE_MS, ended);
    }
  };
  const ended = child.then((result): Exit => {
    signal.removeEventListener('abort', stop);
    if (result.exitCode !== undefined) {
      return { kind: 'code', code: result.exitCode };
    }
    if (result.signal !== undefined) {
      return { kind: 'signal', signal: result.signal };
    }
    return { kind: 'spawn-error', code: result.code ?? 'unknown' };
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) {
    stop();
  }
  return {
    pid: child.pid,
    all: (child.all as Readable | undefined) ?? undefined,
    stdout: (child.stdout as Readable | null) ?? undefined,
    stderr: (child.stderr as Readable | null) ?? undefined,
    input: (child.stdin as Writable | null) ?? undefined,
    extra: child.stdio.slice(3).flatMap((end) => (end ? [end as unknown as Duplex] : [])),
    exit: ended,
  };
}

/**
 * Starts a child in our process group, with our terminal and two pipes, its descriptors 3 and 4. Without
 * execa, which takes half as long to load as Node to start: what others wait for does not wait for that.
 */
export function startAtOnce({
  argv,
  env,
}: Pick<Command, 'argv' | 'env'>): Pick<Running, 'pid' | 'extra' | 'exit'> {
  const [file, ...args] = argv;
  const child = spawn(file, args, {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'pipe'],
  });
  const exit = new Promise<Exit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ kind: 'spawn-error', code: error.code ?? 'unknown' });
    });
    child.once('close', (code, signal) => {
      resolve(signal === null ? { kind: 'code', code: code ?? 0 } : { kind: 'signal', signal });
    });
  });
  // There is none where the system has no descriptors left.
  const ends: readonly unknown[] = child.stdio ?? [];
  return {
    pid: child.pid,
    extra: ends.slice(3).flatMap((end) => (end ? [end as unknown as Duplex] : [])),
    exit,
  };
}

function stdio(command: Command): Record<string, unknown> {
  const extra = (command.extra ?? []).map((end) => (typeof end === 'object' ? end.fd : 'pipe'));
  if (command.output === 'terminal') {
    return { stdio: ['inherit', 'inherit', 'inherit', ...extra] };
  }
  const stdin = typeof command.stdin === 'object' ? 'pipe' : (command.stdin ?? 'ignore');
  if (command.output === 'nothing') {
    return { stdio: [stdin, 'ignore', 'ignore', ...extra] };
  }
  if (typeof command.output === 'object') {
    return { stdio: [stdin, command.output.fd, command.output.fd, ...extra] };
  }
  return { stdio: [stdin, 'pipe', 'pipe', ...extra], all: command.output !== 'separate' };
}

async function terminate(target: number, graceMs: number, ended: Promise<Exit>): Promise<void> {
  signalQuietly(target, 'SIGTERM');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), graceMs);
  });
  if ((await Promise.race([ended, late])) === 'late') {
    signalQuietly(target, 'SIGKILL');
  }
  clearTimeout(timer);
}

/** Signals a process, or with a negative number its group; one that is gone already is fine. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

/** The shell's number for an exit: the code, 128 + signal, 127 or 126 for "could not start". */
export function statusOf(exit: Exit): number {
  switch (exit.kind) {
    case 'code':
      return exit.code;
    case 'signal':
      return 128 + (SIGNAL_NUMBERS[exit.signal] ?? 0);
    case 'spawn-error':
      return exit.code === 'ENOENT' ? 127 : 126;
  }
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

export interface ToolOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** Added to, and overriding, the context's tool environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** For the failure: what to do when this tool fails. */
  readonly hint?: string;
  /** Emit each line of output as an event (default). `false` for tools that are asked, not told. */
  readonly announce?: boolean;
  /** Told the number of the process, which leads a group. */
  readonly onStart?: (pid: number) => void;
}

const KEPT_LINES = 20;

/**
 * Runs one of our own tools to its end and returns what it printed on standard output.
 *
 * @throws Failed `tool` (it failed), `host` (it is not installed), `interrupted` is the caller's.
 */
export async function runTool(
  argv: readonly [string, ...string[]],
  context: Context,
  options: ToolOptions = {},
): Promise<string> {
  const running = start(
    {
      argv,
      env: { ...context.toolEnvironment, ...options.env },
      output: 'separate',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.input === undefined ? {} : { stdin: { text: options.input } }),
    },
    context.signal,
  );
  if (running.pid !== undefined) {
    options.onStart?.(running.pid);
  }
  const printed: string[] = [];
  const said: string[] = [];
  const keep = (line: string): void => {
    said.push(line);
    if (said.length > KEPT_LINES) {
      said.shift();
    }
    if (options.announce !== false) {
      context.emit({ kind: 'output', line });
    }
  };
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.stdout, (line) => {
      printed.push(line);
      keep(line);
    }),
    eachLine(running.stderr, keep),
  ]);
  if (exit.kind === 'code' && exit.code === 0) {
    return printed.join('\n');
  }
  throw new Failed(toolFailure(argv, exit, { said, hint: options.hint }));
}

/**
 * Whether a tool complains of a full disk. tar names only the short write, not the reason (measured). Of an attribute
 * cp says the same where there is room, but none for attributes as large. Source: xattr(7).
 */
function saysDiskFull(line: string): boolean {
  if (/^cp: setting attributes? /.test(line)) {
    return false;
  }
  return line.includes('No space left on device') || /: Wrote only \d+ of \d+ bytes/.test(line);
}

/** What a tool's end was, when it was not a good one; `said` are its last lines. */
export function toolFailure(
  argv: readonly string[],
  exit: Exit,
  detail: { said: readonly string[]; hint: string | undefined },
): Failed['failure'] {
  const hint = detail.hint === undefined ? {} : { hint: detail.hint };
  if (exit.kind === 'spawn-error') {
    return { kind: 'host', message: `Cannot start ${argv[0]}: ${exit.code}`, ...hint };
  }
  if (detail.said.some(saysDiskFull)) {
    return {
      kind: 'disk-full',
      message: `No space left on the device while ${argv[0]} was writing`,
      path: '',
      hint: 'Free some space, or point TMPDIR or -o at a larger file system',
    };
  }
  const status = statusOf(exit);
  return {
    kind: 'tool',
    message: `${argv[0]} failed with status ${status}`,
    argv,
    status,
    lastLines: detail.said,
    ...hint,
  };
}

/** Calls `onLine` for every line of a stream, without its newline; resolves at the end. */
export async function eachLine(
  stream: Readable | undefined,
  onLine: (line: string) => void,
): Promise<void> {
  if (stream === undefined) {
    return;
  }
  for await (const line of createInterface({
    input: stream,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    onLine(line);
  }
}
