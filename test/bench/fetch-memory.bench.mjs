/** Peak memory of a fetch of 1 GiB, in MB. */
import { fetchArgv, withServedFile } from './fetch.mjs';
import { peakMB } from './measure.mjs';

export const name = 'fetch memory';
export const goal = 150;
export const unit = 'MB';

export function measure() {
  return withServedFile(async ({ server, cache }) => ({
    ours: await peakMB(fetchArgv(server, cache())),
  }));
}
