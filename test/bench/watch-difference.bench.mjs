/**
 * A watch pass over 100,000 packages against a history of 100,000 and a target of 100,000, read from the
 * disk and written back; beside plain Sets of lines.
 */
import { alternate } from './measure.mjs';
import { withLists } from './watch.mjs';

export const name = 'watch 100,000 differences';
export const goal = 1;
export const unit = 's';

const ROUNDS = 5;

export async function measure() {
  const { ours, theirs } = await withLists(({ watch, floor }) =>
    alternate(ROUNDS, watch.time, floor),
  );
  return { ours, theirs };
}
