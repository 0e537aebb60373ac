/** The same, against Debian's package of diskimage-builder. */
import { measureFirstHook } from './first-hook.mjs';

export const name = 'first hook, upstream';
export const goal = 0.25;
export const unit = 's';

export function measure() {
  return measureFirstHook();
}
