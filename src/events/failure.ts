/**
 * Everything that can go wrong in a way that somebody can act on, as one union.
 *
 * A `Failure` is data: what happened, where, and what to do next. `Failed` carries one upwards as an
 * exception; whatever else is thrown is a bug of ours. `exitCode` is the only place that maps to a
 * process status.
 */

/** A place in a file that a user wrote. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

interface Common {
  /** One sentence without a final period: "Cannot X as Y: value". */
  readonly message: string;
  /** What to do next, ideally a command. */
  readonly hint?: string;
}

/** A hook, or an `environment.d` file before it, ended with a status other than 0. */
export interface HookFailure extends Common {
  readonly kind: 'hook';
  readonly phase: string;
  readonly hook: string;
  /** The hook's file in the element that it came from, when known. */
  readonly path: string;
  readonly element?: string;
  /** The hook's own status, or 128 + signal. */
  readonly status: number;
  /** The last lines that it printed, oldest first. */
  readonly lastLines: readonly string[];
  /** Why, when the command that made it fail has said so: see `failure-note.ts`. */
  readonly cause?: HookFailureCause;
}

/** What a hook's commands can say that is not the hook's fault, and has an exit code of its own. */
export interface HookFailureCause {
  readonly kind: 'host' | 'verify' | 'lock-busy';
  readonly message: string;
}

/** A tool that we started ended with a status other than 0. */
export interface ToolFailure extends Common {
  readonly kind: 'tool';
  /** Empty when it was no tool but a person who ended the build. */
  readonly argv: readonly string[];
  readonly status: number;
  readonly lastLines: readonly string[];
}

/** A file system ran full while we wrote to it. */
export interface DiskFullFailure extends Common {
  readonly kind: 'disk-full';
  readonly path: string;
}

/** The command line is wrong. */
export interface UsageFailure extends Common {
  readonly kind: 'usage';
}

/** A file, element or setting that the user wrote is wrong. */
export interface ConfigFailure extends Common {
  readonly kind: 'config';
  readonly at?: Place;
}

/** The host lacks something: a tool, a privilege, memory, a kernel feature. */
export interface HostFailure extends Common {
  readonly kind: 'host';
}

/** A server did not give us a file: its answer, or that none came. */
export interface FetchFailure extends Common {
  readonly kind: 'fetch';
  readonly url: string;
  /** The HTTP status, when there was an answer. */
  readonly status?: number;
  /** What broke when there was no usable answer, as Node or undici name it: `ECONNREFUSED`. */
  readonly code?: string;
}

/** An input's digest or signature is not what it should be. */
export interface VerifyFailure extends Common {
  readonly kind: 'verify';
}

/** Somebody else held a lock for longer than we were told to wait. */
export interface LockFailure extends Common {
  readonly kind: 'lock-busy';
  readonly path: string;
}

/** A signal ended the build. */
export interface InterruptedFailure extends Common {
  readonly kind: 'interrupted';
  readonly signal: number;
}

/** Our own bug. */
export interface InternalFailure extends Common {
  readonly kind: 'internal';
  readonly stack?: string;
}

export type Failure =
  | HookFailure
  | ToolFailure
  | DiskFullFailure
  | UsageFailure
  | ConfigFailure
  | HostFailure
  | FetchFailure
  | VerifyFailure
  | LockFailure
  | InterruptedFailure
  | InternalFailure;

/** The exception that carries a `Failure`. */
export class Failed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = 'Failed';
    this.failure = failure;
  }
}

/** A usage error (exit 2): the command line is wrong. */
export function usageError(message: string, hint?: string): Failed {
  return new Failed({ kind: 'usage', message, ...(hint === undefined ? {} : { hint }) });
}

/** A configuration error (exit 2), at a place in a file when there is one. */
export function configError(message: string, detail: { hint?: string; at?: Place } = {}): Failed {
  return new Failed({ kind: 'config', message, ...detail });
}

/** Something that the host lacks (exit 3). */
export function hostError(message: string, hint?: string): Failed {
  return new Failed({ kind: 'host', message, ...(hint === undefined ? {} : { hint }) });
}

/**
 * The failure inside whatever was thrown. An error that is none of ours becomes `internal`, with
 * its stack; `SuppressedError`s (a release failed after the body had) are unwrapped to the body's
 * error, so that cleaning up never hides the reason.
 */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failed) {
    return thrown.failure;
  }
  if (thrown instanceof Error && 'suppressed' in thrown && thrown.suppressed !== undefined) {
    return failureOf(thrown.suppressed);
  }
  if (thrown instanceof Error) {
    return fullDisk(thrown) ?? internalFailure(thrown);
  }
  return { kind: 'internal', message: String(thrown) };
}

/** What helps where a file system is full, and which one that is says the message. */
export const PLACES_HINT: string =
  'Free some space, or point TMPDIR, --image-cache or -o at a larger file system';

/** Whether a write failed for lack of room. */
export function isFullDisk(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function fullDisk(error: Error): DiskFullFailure | undefined {
  if (!isFullDisk(error)) {
    return undefined;
  }
  const path = 'path' in error && typeof error.path === 'string' ? error.path : undefined;
  return {
    kind: 'disk-full',
    message: `No space left on the device while writing ${path ?? 'a file'}`,
    path: path ?? '',
    hint: PLACES_HINT,
  };
}

function internalFailure(error: Error): InternalFailure {
  return {
    kind: 'internal',
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/** The process status for a failure, as `design.md` lists them: 1, 2, 3, 4, 5, 70 or 128 + n. */
export function exitCode(failure: Failure | HookFailureCause): number {
  switch (failure.kind) {
    case 'hook':
      return failure.cause === undefined ? 1 : exitCode(failure.cause);
    case 'tool':
    case 'fetch':
    case 'disk-full':
      return 1;
    case 'usage':
    case 'config':
      return 2;
    case 'host':
      return 3;
    case 'verify':
      return 4;
    case 'lock-busy':
      return 5;
    case 'interrupted':
      return 128 + failure.signal;
    case 'internal':
      return 70;
  }
}
