/**
 * What a command leaves for the build that it fails: a note in the file `DIB_FAILURE_FILE`, which
 * every hook is given. A hook's status alone says too little: any tool may end with 4.
 *
 * First line: `host`, `verify` or `lock-busy`; the others: what happened, in words.
 */
import { exitCode, type Failure, type HookFailureCause } from './failure.ts';

const KINDS: readonly HookFailureCause['kind'][] = ['host', 'verify', 'lock-busy'];

/** The note about a failure; undefined for kinds that do not change the status of a build. */
export function renderFailureNote(failure: Failure): string | undefined {
  const cause = failure.kind === 'hook' ? failure.cause : failure;
  return KINDS.some((kind) => kind === cause?.kind)
    ? `${cause?.kind}\n${cause?.message}\n`
    : undefined;
}

/**
 * What a note says about a hook that ended with `status`. A note that the status does not bear out is
 * of a failure that the hook got over, before it failed for another reason.
 */
export function parseFailureNote(text: string, status: number): HookFailureCause | undefined {
  const [first = '', ...rest] = text.split('\n');
  const kind = KINDS.find((one) => one === first);
  if (kind === undefined) {
    return undefined;
  }
  const cause = { kind, message: rest.join('\n').trim() };
  return exitCode(cause) === status ? cause : undefined;
}
