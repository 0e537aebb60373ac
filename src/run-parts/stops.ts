/**
 * Where a person stops a run of hooks, and what a hook would find there.
 *
 * While the run is stopped the shell that runs the hooks is held, with a child of its own that waits:
 * that child is to the kernel what a hook would be, so what it has is what a hook gets.
 */
import { readFile, readlink } from 'node:fs/promises';
import type { HookFailure } from '../events/failure.ts';
import type { HookTiming } from '../events/profile.ts';

/** What the next hook gets from the shell that runs it. */
export interface HookState {
  readonly env: Readonly<Record<string, string>>;
  /** As this process sees it: below the target root for hooks in the target. */
  readonly cwd: string;
  /** Octal digits. */
  readonly umask: string;
}

export type StopWhen = 'before' | 'after' | 'error';

export interface Stop {
  readonly when: StopWhen;
  /** `install.d`, or `environment.d` for a file of it that failed. */
  readonly directory: string;
  readonly name: string;
  /** As it is executed. */
  readonly path: string;
  readonly element?: string;
  /** With `error`. */
  readonly failure?: HookFailure;
  /** Hooks that were passed over because what they do has been done, oldest first. */
  readonly passed: readonly string[];
  /** Hooks of this run that are done, oldest first. */
  readonly ran: readonly HookTiming[];
  /** Hooks after this one. */
  readonly coming: readonly string[];
  /** Undefined when the shell that runs the hooks has gone. */
  readonly state?: HookState;
}

/** `go-on`: as if nobody had stopped it. `retry`: the hook once more. `skip`: on without the hook. */
export type StopDecision = 'go-on' | 'retry' | 'skip';

export interface Stops {
  /** Asked before anything is held up. */
  wants(when: StopWhen, directory: string, name: string): boolean;
  /** Resolves when the run goes on; throws to end it. */
  at(stop: Stop): Promise<StopDecision>;
}

/** The state of a waiting process of our PID namespace. */
export async function readHookState(pid: number): Promise<HookState> {
  const [environ, status, cwd] = await Promise.all([
    readFile(`/proc/${pid}/environ`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
    readlink(`/proc/${pid}/cwd`),
  ]);
  return {
    env: parseEnviron(environ),
    cwd,
    umask: /^Umask:\t(\d+)$/m.exec(status)?.[1] ?? '0022',
  };
}

/** The variables in `/proc/PID/environ`, without bash's `_`. Pure. Source: proc_pid_environ(5). */
export function parseEnviron(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text
      .split('\0')
      .filter((entry) => entry.includes('=') && !entry.startsWith('_='))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}
