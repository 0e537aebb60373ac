/** The conversion of a raw disk to a compressed qcow2, against upstream's. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../setup.mjs';
import { withSystem } from './images.mjs';
import { alternate, seconds } from './measure.mjs';

export const name = 'qcow2 conversion';
export const goal = 0.15;
export const unit = 's';

const ROUNDS = 3;

export function measure() {
  return withSystem(5e8, async ({ dir, build }) => {
    const commands = pathToFileURL(path.join(root, 'lib/output/commands.js'));
    const { convertArgv } = await import(commands);
    build('raw');
    const raw = path.join(dir, 'images/image.raw');
    const to = path.join(dir, 'image.qcow2');
    const run = (argv) => {
      rmSync(to, { force: true });
      return seconds(argv);
    };
    const ours = convertArgv({ name: 'qcow2' }, { raw, to }, { compress: true });
    const result = alternate(
      ROUNDS,
      () => run(ours),
      // Source: lib/img-functions, compress_and_save_image.
      () => run(['qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, to]),
    );
    run(ours);
    seconds(['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', raw, to]);
    return result;
  });
}
