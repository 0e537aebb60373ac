/**
 * A watch pass that reads 50,000 source packages (125 MB of metadata) from a mirror on loopback, checks and
 * lists them and keeps the list; beside a plain SAX parser on the same file.
 */
import { alternate } from './measure.mjs';
import { withMetadata } from './watch.mjs';

export const name = 'watch 50,000 packages';
export const goal = 1.5;
export const unit = 's';

const ROUNDS = 5;

export async function measure() {
  const { ours, theirs } = await withMetadata(({ watch, floor }) =>
    alternate(ROUNDS, watch.time, floor),
  );
  return { ours, theirs };
}
