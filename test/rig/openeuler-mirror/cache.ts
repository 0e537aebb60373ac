/** Where the mirror is kept, outside of the checkout: it is made once for each way to make it. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from 'proper-lockfile';
import { generateMirror } from './generate/generate.ts';
import { OWN_FILES } from './generate/workshop.ts';

const GENERATOR = fileURLToPath(new URL('./generate', import.meta.url));
const HOUR_MS = 3_600_000;

/** The mirror's directory, with `www` and `variants`. Made now when it is not there; needs root. */
export async function cachedMirror(say: (text: string) => void): Promise<string> {
  const cache = path.join(
    process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
    'dibkit-test',
  );
  await mkdir(cache, { recursive: true });
  const dir = path.join(cache, `openeuler-mirror-${await digest()}`);
  if (await exists(dir)) {
    return dir;
  }
  // Tests run side by side; who comes second waits for the first.
  const retries = { retries: HOUR_MS / 1000, minTimeout: 1000, maxTimeout: 1000 };
  const release = await lock(dir, { realpath: false, stale: 60_000, retries });
  try {
    if (!(await exists(dir))) {
      await generateMirror(dir, say);
    }
  } finally {
    await release();
  }
  return dir;
}

async function exists(dir: string): Promise<boolean> {
  return (await stat(dir).catch(() => undefined)) !== undefined;
}

/** Of everything that decides what the mirror is like. */
async function digest(): Promise<string> {
  const hash = createHash('sha256');
  for (const dir of [GENERATOR, OWN_FILES]) {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort();
    for (const file of files) {
      hash
        .update(`${path.relative(dir, file)}\0`)
        .update(await readFile(file))
        .update('\0');
    }
  }
  return hash.digest('hex').slice(0, 16);
}
