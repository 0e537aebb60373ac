/** Temporary directories that are gone afterwards, however we end. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { Failed, hostError } from '../events/failure.ts';
import type { Reaper } from './reaper.ts';

/** Eight characters as `mktemp` makes them. */
export function randomSuffix(): string {
  return randomBytes(6).toString('base64url').replaceAll('-', 'x').replaceAll('_', 'y');
}

export interface WorkDirLocation {
  readonly parent: string;
  readonly prefix: string;
}

/** `<parent>/<prefix><random>`, absolute. */
export function nameWorkDir({ parent, prefix }: WorkDirLocation): string {
  return path.join(path.resolve(parent), prefix + randomSuffix());
}

/** Makes a directory of such a name; see `makeNamedWorkDir`. */
export async function makeWorkDir(location: WorkDirLocation, reaper: Reaper): Promise<string> {
  const dir = nameWorkDir(location);
  await makeNamedWorkDir(dir, reaper);
  return dir;
}

/**
 * Lets everybody pass through a work directory that was made under the caller's umask: hooks may become another user on the
 * way to the tree.
 */
export function openToAll(dir: string): Promise<void> {
  return chmod(dir, 0o755);
}

/**
 * Makes a directory (mode 0755 less the umask), which the reaper removes when it is disposed of, or when we are
 * killed. A parent that gives its group to what is made in it does not give it to what is made in ours.
 *
 * @throws Failed `host` when the parent cannot be written.
 */
export async function makeNamedWorkDir(dir: string, reaper: Reaper): Promise<void> {
  if (dir.includes('\n')) {
    throw new Failed({ kind: 'usage', message: `Cannot work in a path with a newline: ${dir}` });
  }
  await reaper.guard(dir);
  try {
    await mkdir(dir, { mode: 0o755 });
    const { mode } = await stat(dir);
    if ((mode & 0o2000) !== 0) {
      await chmod(dir, mode & 0o777);
    }
  } catch (error) {
    throw hostError(
      `Cannot make a work directory in '${path.dirname(dir)}': ${(error as Error).message}`,
      'Choose another place with TMPDIR (work files) or -o (the image), or mend its permissions',
    );
  }
}
