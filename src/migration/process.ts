/**
 * The only place where the migration service starts children. On child_process alone, because the
 * service also runs where no newer Node is to be had than 12, on which execa does not run.
 *
 * Every child leads its own process group, so that stopping it stops what it started.
 */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** How a child ended. A child that could not be started is `spawn-error`. */
export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'spawn-error'; readonly code: string };

export interface ChildCommand {
  readonly argv: readonly [string, ...string[]];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `ignore` (default): empty input. */
  readonly stdin?: 'ignore' | 'inherit' | 'pipe';
  /**
   * `pipe` (default): both streams, apart. `inherit`: ours. A number: both are this descriptor of ours,
   * which also outlives us.
   */
  readonly output?: 'pipe' | 'inherit' | number;
}

export interface Child {
  readonly pid: number | undefined;
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Never rejects. Resolves when the child is gone and its pipes are closed. */
  readonly exit: Promise<Exit>;
  /** Signals the whole group; one that is gone already is fine. */
  kill(signal: NodeJS.Signals): void;
}

/** Starts a child without a shell. */
export function startChild(command: ChildCommand): Child {
  const [file, ...args] = command.argv;
  const output = command.output ?? 'pipe';
  const child = spawn(file, args, {
    env: { ...command.env },
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    stdio: [command.stdin ?? 'ignore', output, output],
    detached: true,
  });
  const exit = new Promise<Exit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      // Also emitted when a signal could not be sent; then the child is there and `close` follows.
      if (child.pid === undefined) {
        resolve({ kind: 'spawn-error', code: error.code ?? 'unknown' });
      }
    });
    child.once('close', (code, signal) => {
      resolve(signal === null ? { kind: 'code', code: code ?? 0 } : { kind: 'signal', signal });
    });
  });
  // A child may end without reading its input: that is its business, not an error of ours.
  child.stdin?.on('error', () => {});
  return {
    pid: child.pid,
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? undefined,
    stderr: child.stderr ?? undefined,
    exit,
    kill: (signal) => {
      if (child.pid !== undefined) {
        killGroup(child.pid, signal);
      }
    },
  };
}

/** Signals a process group; one that is gone already is fine. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}
