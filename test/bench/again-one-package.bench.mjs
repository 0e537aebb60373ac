/** Wall time of a build again with one package more, as a share of upstream's cold build. */
import { measureAgain } from './again.mjs';

export const name = 'one package added';
export const goal = 0.34;
export const unit = 's';

export function measure() {
  return measureAgain(() => ['-p', 'less']);
}
