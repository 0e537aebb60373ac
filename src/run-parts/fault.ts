/** What went wrong with a hook or a file of `environment.d`, and how that is told. */
import type { HookFailure } from '../events/failure.ts';
import { ENVIRONMENT_DIR } from './environment-files.ts';
import type { PartsRequest } from './request.ts';

export interface Fault {
  readonly directory: string;
  readonly name: string;
  readonly path: string;
  readonly status: number;
  readonly what: string;
  /** What a command of the hook said of why it failed. */
  readonly cause?: HookFailure['cause'];
  /** The shell is gone with it. */
  readonly gone?: boolean;
}

export function failureFor(
  { request, lastLines }: { readonly request: PartsRequest; readonly lastLines: readonly string[] },
  fault: Fault,
): HookFailure {
  const { directory, name, path, status, what, cause } = fault;
  const element = request.elementOf?.(name, directory);
  const subject = directory === ENVIRONMENT_DIR ? 'Environment file' : 'Hook';
  const owner = element === undefined ? '' : ` of element '${element}'`;
  const hint = HINTS.get(status);
  return {
    kind: 'hook',
    phase: request.phase,
    hook: name,
    path: request.sourceOf?.(name, directory) ?? path,
    ...(element === undefined ? {} : { element }),
    message: `${subject} '${directory}/${name}'${owner} ${what}`,
    status,
    lastLines: [...lastLines],
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  };
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [126, 'It could not be executed: look at its mode and at the interpreter in its first line'],
  [127, 'A command, or the interpreter in its first line, was not found where it ran'],
]);
