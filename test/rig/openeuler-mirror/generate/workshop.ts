/** Where the mirror is made, and what runs there. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { $, type Shell } from 'zx';

/** Files of our own, by the name of their RPM. */
export const OWN_FILES: string = fileURLToPath(
  new URL('../../../fixtures/openeuler-mirror/rpm', import.meta.url),
);

export interface Workshop {
  readonly dir: string;
  /** Runs a command line; rejects with its output when it fails. */
  readonly run: Shell;
  /** Says what is going on, to people. */
  say(text: string): void;
}

/**
 * A workshop in an empty directory. Its commands see none of the user's configuration, and Debian's
 * rpm, which would keep its database in the home directory, is told where an openEuler has it.
 */
export async function openWorkshop(dir: string, say: (text: string) => void): Promise<Workshop> {
  const home = path.join(dir, 'home');
  await mkdir(home, { recursive: true });
  await writeFile(path.join(home, '.rpmmacros'), '%_dbpath /var/lib/rpm\n');
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name));
  const env = { ...Object.fromEntries(proxies), HOME: home, LC_ALL: 'C.UTF-8', PATH, TMPDIR: dir };
  const run = $({
    cwd: dir,
    env,
    quiet: true,
    shell: '/bin/bash',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { dir, run, say };
}

/** Does `work` for every item, as many at a time as there are processors; the results in order. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (const [index, item] of entries) {
      results[index] = await work(item);
    }
  });
  await Promise.all(workers);
  return results;
}
