/** How long `disk-image-create` takes to its first hook. */
import { measureFirstHook } from './first-hook.mjs';

export const name = 'first hook';
export const goal = 250;
export const unit = 'ms';

export async function measure() {
  return { ours: 1000 * (await measureFirstHook()).ours };
}
