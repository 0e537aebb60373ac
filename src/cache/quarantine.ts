/** Where files that failed verification go: beside the cache's file, for inspection. */
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Sha256 } from './checksum.ts';

const INFIX = '.quarantined-';

/**
 * Moves `file` away as `TARGET.quarantined-<time>-<start of digest>` and returns that path. Only the
 * newest one of a target is kept: they are large.
 */
export async function quarantine(
  file: string,
  target: string,
  detail: { readonly sha256: Sha256; readonly now: Date },
): Promise<string> {
  const directory = path.dirname(target);
  const prefix = `${path.basename(target)}${INFIX}`;
  const time = detail.now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const name = `${prefix}${time}-${detail.sha256.slice(0, 12)}`;
  await rename(file, path.join(directory, name));
  const older = (await readdir(directory)).filter(
    (other) => other.startsWith(prefix) && other !== name,
  );
  await Promise.all(older.map((other) => rm(path.join(directory, other), { force: true })));
  return path.join(directory, name);
}
