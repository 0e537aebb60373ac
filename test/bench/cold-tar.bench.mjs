/** Wall time of a cold build of debian-minimal as tar, as a share of upstream's. */
import { measureCold } from './cold.mjs';

export const name = 'cold tar';
export const goal = 0.6;
export const unit = 's';

export function measure() {
  return measureCold('tar');
}
