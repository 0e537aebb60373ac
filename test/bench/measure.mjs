/** What the rows share: running a command and taking its time. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Runs a command to its end; how many seconds it took. @throws when it fails, with its last lines. */
export function seconds(argv, options = {}) {
  const [file, ...args] = argv;
  const start = process.hrtime.bigint();
  const result = spawnSync(file, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  const end = process.hrtime.bigint();
  if (result.status !== 0) {
    const said = `${result.stdout}${result.stderr}`.split('\n').slice(-20).join('\n');
    throw new Error(`'${argv.join(' ')}' failed with ${result.status}:\n${said}`);
  }
  return Number(end - start) / 1e9;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/**
 * Times two commands in turn; who begins takes turns as well. The median times of both sides, and the median of the
 * rounds' ratios: what runs at the same time meets the same machine, which may be another one minutes later.
 */
export function alternate(times, ours, theirs) {
  const rounds = Array.from({ length: times }, (_, round) => {
    if (round % 2 === 0) {
      return { ours: ours(round), theirs: theirs(round) };
    }
    const first = theirs(round);
    return { ours: ours(round), theirs: first };
  });
  return {
    ours: median(rounds.map((each) => each.ours)),
    theirs: median(rounds.map((each) => each.theirs)),
    ratio: median(rounds.map((each) => each.ours / each.theirs)),
  };
}

/** An empty directory to begin in; what the last round left to be written is not the next one's business. */
export function startAfresh(dir) {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  letDiskRest();
}

/** Waits until nothing is left to be written: the last build's images and layers would slow the next one. */
export function letDiskRest() {
  execFileSync('sync');
}

/** Calls `work` with a temporary directory that is gone afterwards. */
export async function inTemporaryDirectory(work) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'dibkit-bench-'));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const PERIOD_MS = 20;

/** Runs a command to its end; the most memory that its process has held, in MB. Source: proc(5), VmHWM. */
export async function peakMB(argv) {
  const [file, ...args] = argv;
  const child = spawn(file, args, { stdio: 'ignore' });
  let peakKiB = 0;
  const timer = setInterval(() => {
    peakKiB = Math.max(peakKiB, peakOf(child.pid));
  }, PERIOD_MS);
  const [status] = await once(child, 'close');
  clearInterval(timer);
  if (status !== 0) {
    throw new Error(`'${argv.join(' ')}' failed with ${status}`);
  }
  return (peakKiB * 1024) / 1e6;
}

function peakOf(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    // It has just ended.
    return 0;
  }
}
