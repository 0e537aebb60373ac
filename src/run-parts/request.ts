/** What a run of one phase's hooks is asked for, and what becomes of it. */
import type { HookFailure } from '../events/failure.ts';
import type { HookTiming } from '../events/profile.ts';
import type { Pipe } from '../sandbox/pipe.ts';
import type { Stops } from './stops.ts';

export interface PartsRequest {
  /** For events and messages, for example `install`. */
  readonly phase: string;
  /** The directory as its hooks see it; `environment.d` is its sibling. */
  readonly dir: string;
  /** The same directory as this process sees it. */
  readonly listDir: string;
  readonly where: 'host' | 'target';
  /** Put before the shell, such as `['chroot', ROOT]`; found in `env.PATH`. Empty on the host. */
  readonly launcher: readonly string[];
  /** The whole environment of the phase, before `environment.d`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** For a short-lived file. Default: the system's temporary directory. */
  readonly workDir?: string;
  /** What a shell prints into; it is taken over. Default: a pipe that is opened in `workDir`. */
  readonly pipe?: () => Promise<Pipe>;
  /** What hooks read: nothing (default) or our own input. */
  readonly stdin?: 'ignore' | 'inherit';
  /**
   * `events` (default): one line, one event. `terminal`: hooks write to our own streams;
   * `own-group-terminal`: and are stopped as one process group.
   */
  readonly output?: 'events' | 'terminal' | 'own-group-terminal';
  /** Who brought a file; `directory` is the phase's, such as `install.d`, or `environment.d`. */
  readonly elementOf?: (file: string, directory: string) => string | undefined;
  /** Where a file came from, by the same names. */
  readonly sourceOf?: (file: string, directory: string) => string | undefined;
  /** Where commands in hooks leave word of why they failed, as this process sees it. */
  readonly failureNote?: string;
  /** Default: `RUN_PARTS_REGEX` in `env`, else the contract's. */
  readonly pattern?: string;
  /** Default: nobody stops the run. */
  readonly stops?: Stops;
  /** Told the process of the shell that runs the hooks. */
  readonly onShell?: (pid: number | undefined) => void;
  /** Told of each hook that begins, and that it has ended, at once. */
  readonly onHook?: (hook: string, what: 'start' | 'end') => void;
  /** How many of the first hooks are passed over: what they do has been done. */
  readonly skip?: number;
  readonly pause?: PauseRequest;
}

/** What else is to be done between two hooks. Hooks do not notice: variables and the like go on. */
export interface PauseRequest {
  /** Asked after each hook that has succeeded, but the last. */
  readonly wanted: () => boolean;
  /** Called while no shell of ours is in the target; `ran`: the hooks so far, without those skipped. */
  readonly during: (ran: readonly string[]) => Promise<void>;
}

export type PartsOutcome =
  | { readonly kind: 'ok'; readonly timings: readonly HookTiming[] }
  | { readonly kind: 'failed'; readonly failure: HookFailure }
  | { readonly kind: 'interrupted' };
