/** Wall time of a build again with nothing changed, as a share of upstream's cold build. */
import { measureAgain } from './again.mjs';

export const name = 'nothing changed';
export const goal = 0.04;
export const unit = 's';

export function measure() {
  return measureAgain(() => []);
}
