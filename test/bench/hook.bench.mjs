/** What a hook that does nothing costs, in milliseconds: 200 of them, less an empty directory. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../setup.mjs';
import { inTemporaryDirectory, median, seconds } from './measure.mjs';

export const name = 'no-op hook';
export const goal = 3;
export const unit = 'ms';

const HOOKS = 200;
const ROUNDS = 5;

export function measure() {
  return inTemporaryDirectory((dir) => {
    const full = path.join(dir, 'full.d');
    const empty = path.join(dir, 'empty.d');
    mkdirSync(full);
    mkdirSync(empty);
    for (let number = 100; number < 100 + HOOKS; number += 1) {
      const file = path.join(full, `${number}-nothing`);
      writeFileSync(file, '#!/bin/sh\n');
      chmodSync(file, 0o755);
    }
    const run = (hooks) => seconds([path.join(root, 'bin/dib-run-parts'), hooks]);
    const costs = Array.from({ length: ROUNDS }, () => run(full) - run(empty));
    return { ours: (median(costs) / HOOKS) * 1000 };
  });
}
