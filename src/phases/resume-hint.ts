/** How to go on with a build in which a hook failed. */
import { Failed, failureOf } from '../events/failure.ts';
import type { PhaseLayers } from './phase-layers.ts';

export interface KeptSoFar {
  /** Of the highest layer that is in the store. */
  readonly phase: string | undefined;
  /** Why what ran before the hook that failed was not kept; undefined when all was. */
  readonly lost: string | undefined;
}

/** Pure. */
export function resumeHint({ phase, lost }: KeptSoFar): string {
  const again = 'Mend it and run the same command';
  if (phase === undefined) {
    return lost === undefined ? `${again} again` : `${again} again; nothing is kept: ${lost}`;
  }
  return lost === undefined
    ? `${again} with --resume: what was done before is kept`
    : `${again} with --resume: what was done is kept up to phase ${phase}, and nothing behind it: ${lost}`;
}

/** Says it in the failure of a hook, once all that was kept is in the store. */
export function withResumeHint(error: unknown, layers: PhaseLayers): unknown {
  const failure = failureOf(error);
  if (failure.kind !== 'hook') {
    return error;
  }
  const { chain } = layers;
  const missing = chain.keys.findIndex((key) => !chain.store.has(key));
  const all = chain.parts.layers;
  const phase = (missing < 0 ? all : all.slice(0, missing)).at(-1)?.phase;
  const lost = layers.lost ?? (missing < 0 ? undefined : chain.broken);
  const go = resumeHint({ phase, lost });
  const hint = failure.hint === undefined ? go : `${failure.hint}. ${go}`;
  return new Failed({ ...failure, hint }, { cause: error });
}
