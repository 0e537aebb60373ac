/**
 * Peak memory of our own processes during a build, in MB: the most that they hold at one moment.
 * Pages that they share (Node's own code) count once. Source: proc(5), Pss in smaps_rollup.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { root } from '../setup.mjs';
import { hostSources } from './apt-sources.mjs';
import { inTemporaryDirectory } from './measure.mjs';

export const name = 'memory';
export const goal = 200;
export const unit = 'MB';

const PERIOD_MS = 50;

export function measure() {
  return inTemporaryDirectory(async (dir) => {
    const args = ['--image-cache', path.join(dir, 'cache'), '-t', 'tar', '-o', 'image'];
    const child = spawn(path.join(root, 'bin/disk-image-create'), [...args, 'debian-minimal'], {
      cwd: dir,
      env: { ...process.env, ...hostSources() },
      stdio: 'ignore',
    });
    let peakKiB = 0;
    const timer = setInterval(() => {
      peakKiB = Math.max(peakKiB, heldKiB(child.pid));
    }, PERIOD_MS);
    const [status] = await once(child, 'close');
    clearInterval(timer);
    if (status !== 0) {
      throw new Error(`The build failed with ${status}`);
    }
    return { ours: (peakKiB * 1024) / 1e6 };
  });
}

/** What every descendant that is a Node holds now, in KiB. */
function heldKiB(ancestor) {
  const parents = new Map(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => [Number(pid), field(pid, 'status', 'PPid')]),
  );
  const isOurs = (pid) => pid === ancestor || (parents.get(pid) > 1 && isOurs(parents.get(pid)));
  return [...parents.keys()]
    .filter((pid) => isOurs(pid) && executable(pid) === process.execPath)
    .reduce((sum, pid) => sum + field(pid, 'smaps_rollup', 'Pss'), 0);
}

function field(pid, file, key) {
  try {
    const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
    return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  } catch {
    // It has ended.
    return 0;
  }
}

function executable(pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}
