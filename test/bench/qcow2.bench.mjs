/** The conversion of a raw disk to a compressed qcow2, against upstream's. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../setup.mjs';
import { withSystem } from './images.mjs';
import { median, seconds } from './measure.mjs';

export const name = 'qcow2 conversion';
export const goal = 0.15;
export const unit = 's';

const ROUNDS = 3;

export function measure() {
  return withSystem(5e8, async ({ dir, build }) => {
    const { convertDisk } = await import(pathToFileURL(path.join(root, 'lib/output/qemu-img.js')));
    const convert = convertDisk({ name: 'qcow2' });
    build('raw');
    const rawDisk = path.join(dir, 'images/image.raw');
    const to = path.join(dir, 'image.qcow2');
    const context = {
      emit: () => {},
      signal: new AbortController().signal,
      toolEnvironment: { PATH: process.env.PATH, LC_ALL: 'C' },
    };
    const [ours, theirs] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      rmSync(to, { force: true });
      const start = performance.now();
      await convert({ rawDisk, image: { compress: true } }, to, context);
      ours.push((performance.now() - start) / 1000);
      seconds(['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', rawDisk, to]);
      rmSync(to);
      // Source: lib/img-functions, compress_and_save_image.
      theirs.push(seconds(['qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', rawDisk, to]));
    }
    return { ours: median(ours), theirs: median(theirs), ratio: median(ours) / median(theirs) };
  });
}
