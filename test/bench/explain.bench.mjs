/** `disk-image-create --explain` of a build of 40 elements that is in layers, the whole command. */
import path from 'node:path';
import { root } from '../setup.mjs';
import { writeElements } from './forty.mjs';
import { inTemporaryDirectory, median, seconds } from './measure.mjs';

export const name = 'explain';
export const goal = 200;
export const unit = 'ms';

const ROUNDS = 9;

export function measure() {
  return inTemporaryDirectory((dir) => {
    // `tiny` and the implicit element are among the 40.
    const names = writeElements(path.join(dir, 'elements'), 2);
    const elementsPath = [path.join(dir, 'elements'), path.join(root, 'test/rig/elements')];
    // With the variable Node reads all of a machine's certificates at each start: not what is asked for.
    const env = {
      ...process.env,
      ELEMENTS_PATH: elementsPath.join(':'),
      NODE_EXTRA_CA_CERTS: undefined,
    };
    const run = (...options) =>
      seconds(
        [
          path.join(root, 'bin/disk-image-create'),
          ...options,
          ...['--image-cache', path.join(dir, 'cache'), '-n', '-t', 'tar', 'tiny', ...names],
        ],
        { cwd: dir, env },
      );
    run();
    const ours = 1000 * median(Array.from({ length: ROUNDS }, () => run('--explain')));
    return { ours };
  });
}
