/** What the rows about fetching share: 1 GiB on loopback, in memory so that no disk is measured. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../setup.mjs';
import { startServer } from './file-server.mjs';

/** The name that the file has on the server. */
export const NAME = 'image';

/** Calls `work` with `{ server, dir, cache() }`; `cache()` is a new empty directory each time. */
export async function withServedFile(work) {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const dir = mkdtempSync(path.join(parent, 'dibkit-bench-'));
  const file = path.join(dir, 'source');
  const cache = path.join(dir, 'cache');
  let server;
  try {
    spawnSync('sh', ['-c', 'head -c 1G /dev/urandom > "$0"', file]);
    server = await startServer(file, NAME);
    return await work({
      server,
      dir,
      cache: () => {
        rmSync(cache, { recursive: true, force: true });
        mkdirSync(cache);
        return cache;
      },
    });
  } finally {
    server?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The command that fetches and verifies into a cache directory. */
export function fetchArgv(server, cache) {
  const urls = ['--url', `${server.url}/${NAME}`, '--sums', `${server.url}/SHA256SUMS`];
  return [path.join(root, 'bin/dibkit'), 'fetch', ...urls, path.join(cache, NAME)];
}
