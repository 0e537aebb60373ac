/** Wall time of a build again after a change in its last hook, as a share of upstream's cold build. */
import { measureAgain, writeHook } from './again.mjs';

export const name = 'one late hook changed';
export const goal = 0.067;
export const unit = 's';

export function measure() {
  return measureAgain((element) => writeHook(element, 'second'));
}
