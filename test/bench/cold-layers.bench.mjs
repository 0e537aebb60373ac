/** What keeping layers costs a cold build: with a store that is empty, against none. */
import path from 'node:path';
import { root, say } from '../setup.mjs';
import { hostSources } from './apt-sources.mjs';
import { alternate, inTemporaryDirectory, seconds, startAfresh } from './measure.mjs';

export const name = 'cold with layers';
export const goal = 1.05;
export const unit = 's';

/** The same build takes a fifth more or less within minutes on a shared machine: three rounds say little. */
const ROUNDS = 7;

export function measure() {
  return inTemporaryDirectory((dir) => {
    const build = (options) => () => {
      const work = path.join(dir, 'build');
      startAfresh(work);
      const cache = ['--image-cache', path.join(work, 'cache')];
      const argv = [path.join(root, 'bin/disk-image-create'), ...cache, ...options];
      const env = { ...process.env, ...hostSources() };
      const took = seconds([...argv, '-t', 'tar', 'debian-minimal'], { cwd: work, env });
      say(`${options.join(' ') || 'with layers'}: ${took.toFixed(1)} s`);
      return took;
    };
    return alternate(ROUNDS, build([]), build(['--no-cache']));
  });
}
