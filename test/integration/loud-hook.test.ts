/** A hook that prints 200 MB: what we hold of it does not grow with it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig } from '../rig/rig.ts';
import { ROOT } from '../rig/run-hook.ts';

const MEGABYTES = 200;
/** A process of ours needs about 70 at rest, and would need several times the text to keep it. */
const MOST_MB = 200;
const LOOK_EVERY_MS = 100;

/** In lines of a kilobyte: what is kept would be the same, and each line costs time. */
const LOUD = hook(`
  awk -v lines=${MEGABYTES * 1000} 'BEGIN {
    line = sprintf("%999s", ""); gsub(" ", "x", line)
    for (i = 0; i < lines; i++) print line
  }'`);

interface Status {
  readonly parent: number;
  readonly peakMB: number;
}

/** Source: proc(5), PPid and VmHWM: the most that a process ever held. */
function statusOf(pid: string): Status | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return { parent: number('PPid'), peakMB: (number('VmHWM') * 1024) / 1e6 };
  } catch {
    // It has just ended.
    return undefined;
  }
}

/** The peaks of a process and of all that descends from it. */
function peaksBelow(root: number): readonly number[] {
  const all = new Map<number, Status>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const status = statusOf(pid);
    if (status !== undefined) {
      all.set(Number(pid), status);
    }
  }
  const isBelow = (pid: number): boolean =>
    pid === root || (all.has(pid) && isBelow(all.get(pid)?.parent ?? 0));
  return [...all].filter(([pid]) => isBelow(pid)).map(([, { peakMB }]) => peakMB);
}

test(`a hook that prints ${MEGABYTES} MB is passed on, and not kept`, async () => {
  await using rig = await openRig();
  await rig.element('loud', { 'install.d/10-loud': LOUD });
  const argv = ['bin/disk-image-create', '-n', '-t', 'tar', '-o', 'image', 'tiny', 'loud'];
  const child = spawn(process.execPath, [path.join(ROOT, argv[0] ?? ''), ...argv.slice(1)], {
    cwd: rig.out,
    env: rig.environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = 0;
  let peakMB = 0;
  const timer = setInterval(() => {
    peakMB = Math.max(peakMB, ...peaksBelow(child.pid ?? 0));
  }, LOOK_EVERY_MS);
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.length;
  });
  const [status] = await once(child, 'close');
  clearInterval(timer);
  assert.equal(status, 0);
  assert.ok(printed > MEGABYTES * 1e6, `${printed} bytes were printed`);
  assert.ok(peakMB > 0 && peakMB < MOST_MB, `a process of the build held ${peakMB} MB`);
});
