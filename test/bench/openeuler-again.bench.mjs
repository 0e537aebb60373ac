/**
 * The second build of `vm openeuler`, as a share of the first: what was downloaded and decompressed for
 * the first one is there, and every phase runs. The mirror is the stand-in of the tests, behind a line
 * that passes 1 MB/s, all connections together: a good one for who is far away. From another continent
 * people measured 15 to 49 kB/s at openEuler's own site (issue 1080 of rpm-software-management/mock). The slower
 * the line, the smaller the share; the busier the machine, the larger.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { root, say } from '../setup.mjs';
import { inTemporaryDirectory, seconds } from './measure.mjs';

const BYTES_PER_SECOND = 1_000_000;
const RELEASE = '22.03-LTS';

export const name = 'openeuler again, 1 MB/s';
export const goal = 0.5;
export const unit = 's';

export function measure() {
  return inTemporaryDirectory((dir) =>
    withMirror((url) => {
      const theirs = build(url, dir);
      say(`first build: ${theirs.toFixed(1)} s`);
      const ours = build(url, dir);
      say(`second build: ${ours.toFixed(1)} s`);
      return { ours, theirs, ratio: ours / theirs };
    }),
  );
}

/** Into an empty directory, with the cache as it is. */
function build(url, parent) {
  const out = path.join(parent, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const command = path.join(root, 'bin/disk-image-create');
  const cache = ['--image-cache', path.join(parent, 'cache')];
  return seconds([command, ...cache, '-o', 'openeuler', 'vm', 'openeuler'], {
    cwd: out,
    env: {
      ...process.env,
      DIB_RELEASE: RELEASE,
      DIB_DISTRIBUTION_MIRROR: url,
      // What is measured is downloads and packages, not phases that are left out.
      DIB_NO_LAYERS: '1',
      ELEMENTS_PATH: undefined,
    },
  });
}

/** The stand-in, in a process of its own. */
async function withMirror(work) {
  const program = path.join(root, 'test/rig/openeuler-mirror/command.ts');
  const argv = ['--import', 'tsx', program, '0', String(BYTES_PER_SECOND)];
  const mirror = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: mirror.stdout });
    let url = '';
    for await (const line of lines) {
      if (line.startsWith('http://')) {
        url = line;
        break;
      }
    }
    if (url === '') {
      throw new Error('The stand-in for the mirror did not start');
    }
    return await work(url);
  } finally {
    if (mirror.exitCode === null) {
      mirror.kill();
      await once(mirror, 'exit');
    }
  }
}
