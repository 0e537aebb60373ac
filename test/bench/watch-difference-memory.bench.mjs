/** Peak memory of a watch pass over three lists of 100,000 packages. */
import { withLists } from './watch.mjs';

export const name = 'watch 100,000 memory';
export const goal = 300;
export const unit = 'MB';

export async function measure() {
  return await withLists(async ({ watch }) => ({ ours: await watch.peak() }));
}
