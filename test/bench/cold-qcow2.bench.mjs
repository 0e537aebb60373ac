/** Wall time of a cold build of debian-minimal as qcow2, as a share of upstream's. */
import { measureCold } from './cold.mjs';

export const name = 'cold qcow2';
export const goal = 0.6;
export const unit = 's';

export function measure() {
  return measureCold('qcow2');
}
