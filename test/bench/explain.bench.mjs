/** `disk-image-create --explain` of a build of 40 elements that is in layers, the whole command. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../setup.mjs';
import { inTemporaryDirectory, median, seconds } from './measure.mjs';

export const name = 'explain';
export const goal = 200;
export const unit = 'ms';

const ELEMENTS = 40;
const ROUNDS = 9;
const PHASES = ['extra-data', 'pre-install', 'install', 'post-install', 'finalise', 'cleanup'];

export function measure() {
  return inTemporaryDirectory((dir) => {
    // `tiny` and the implicit element are among the 40.
    const names = Array.from({ length: ELEMENTS - 2 }, (_, index) => `element-${index}`);
    for (const [index, name] of names.entries()) {
      const hooks = path.join(dir, 'elements', name, `${PHASES[index % PHASES.length]}.d`);
      mkdirSync(hooks, { recursive: true });
      writeFileSync(path.join(hooks, `50-${name}`), '#!/bin/bash\n:\n', { mode: 0o755 });
    }
    const elementsPath = [path.join(dir, 'elements'), path.join(root, 'test/rig/elements')];
    const env = { ...process.env, ELEMENTS_PATH: elementsPath.join(':') };
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
