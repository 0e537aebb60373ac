/** qcow2, raw and tar in one run, against the slowest of three runs of one format. */
import { withSystem } from './images.mjs';
import { median } from './measure.mjs';

export const name = 'three formats';
export const goal = 1.3;
export const unit = 's';

const ROUNDS = 3;
const TYPES = ['qcow2', 'raw', 'tar'];

export function measure() {
  return withSystem(5e8, ({ build }) => {
    const single = TYPES.map(() => []);
    const together = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, type] of TYPES.entries()) {
        single[index].push(build(type));
      }
      together.push(build(TYPES.join(',')));
    }
    const ours = median(together);
    const theirs = Math.max(...single.map(median));
    return { ours, theirs, ratio: ours / theirs };
  });
}
