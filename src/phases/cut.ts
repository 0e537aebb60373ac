/**
 * Where a phase is cut: after hooks that took long, so that a change in a later one does not repeat them. A cut costs a
 * tenth of a second. Pure. The times are measured, see docs/architecture.md.
 */
import { mayCut } from '../layers/lower-names.ts';
import type { Phase } from './table.ts';

/** After hooks that took this long together there is a layer's end, in milliseconds. */
const CUT_AFTER_MS = 2000;

/** The same in the last phases, where hooks are that people change most: a build has one cut more at most, or two. */
const LATE_CUT_AFTER_MS = 1000;

/** The same in the first layer, which is a plain directory: programs that make many small files are faster there. */
const FIRST_CUT_AFTER_MS = 30_000;

/** Whether a layer ends behind hooks that `tookMs` together; `layers`: how many there are below it. */
export function isCutHere(
  tookMs: number,
  at: { readonly stage: Phase['stage']; readonly layers: number },
): boolean {
  const late = at.stage === 'disk' ? LATE_CUT_AFTER_MS : CUT_AFTER_MS;
  return tookMs >= (at.layers === 0 ? FIRST_CUT_AFTER_MS : late) && mayCut(at.layers);
}
