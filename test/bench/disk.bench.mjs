/** From the end of the hooks to a finished raw disk, for a tree of 1 GB, against a bare `mke2fs -d` of it. */
import { rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventsIn, withSystem } from './images.mjs';
import { alternate, seconds } from './measure.mjs';

export const name = 'disk of 1 GB';
export const goal = 1.5;
export const unit = 's';

const ROUNDS = 3;

export function measure() {
  return withSystem(1e9, ({ dir, tree, build }) => {
    const events = path.join(dir, 'events');
    const ours = () => {
      build('raw', '--events', events);
      const all = eventsIn(events);
      const hooksEnd = all.findLast(({ kind }) => kind === 'phase-end').at;
      const written = all.find(({ kind, step }) => kind === 'step-start' && step === 'publish').at;
      return (written - hooksEnd) / 1000;
    };
    const theirs = () => {
      const { size } = statSync(path.join(dir, 'images/image.raw'));
      const file = path.join(dir, 'bare');
      rmSync(file, { force: true });
      writeFileSync(file, '');
      truncateSync(file, size);
      return seconds(['mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, file]);
    };
    return alternate(ROUNDS, ours, theirs);
  });
}
