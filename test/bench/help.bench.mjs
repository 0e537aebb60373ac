/** `disk-image-create --help` against a Node that does nothing. */
import path from 'node:path';
import { root } from '../setup.mjs';
import { alternate, seconds } from './measure.mjs';

export const name = 'help';
export const goal = 2;
export const unit = 's';

const ROUNDS = 15;

export function measure() {
  return alternate(
    ROUNDS,
    () => seconds([path.join(root, 'bin/disk-image-create'), '--help']),
    () => seconds([process.execPath, '-e', '0']),
  );
}
