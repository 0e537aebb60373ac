/** Peak memory of a watch pass that reads 50,000 source packages. */
import { withMetadata } from './watch.mjs';

export const name = 'watch 50,000 memory';
export const goal = 250;
export const unit = 'MB';

export async function measure() {
  return await withMetadata(async ({ watch }) => ({ ours: await watch.peak() }));
}
