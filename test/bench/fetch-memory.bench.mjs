/** Peak memory of a fetch of 1 GiB, in MB. Source: proc(5), VmHWM. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fetchArgv, withServedFile } from './fetch.mjs';

export const name = 'fetch memory';
export const goal = 150;
export const unit = 'MB';

const PERIOD_MS = 20;

export function measure() {
  return withServedFile(async ({ server, cache }) => {
    const [file, ...args] = fetchArgv(server, cache());
    const child = spawn(file, args, { stdio: 'ignore' });
    let peakKiB = 0;
    const timer = setInterval(() => {
      peakKiB = Math.max(peakKiB, peakOf(child.pid));
    }, PERIOD_MS);
    const [status] = await once(child, 'close');
    clearInterval(timer);
    if (status !== 0) {
      throw new Error(`The fetch failed with ${status}`);
    }
    return { ours: (peakKiB * 1024) / 1e6 };
  });
}

function peakOf(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    // It has just ended.
    return 0;
  }
}
