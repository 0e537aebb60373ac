/** What a directory on this machine holds, as `selectHooks` wants it. */
import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DirEntry } from './select.ts';

/** An entry, and whether it is a symbolic link: those mean something else inside a chroot. */
export interface ListedEntry extends DirEntry {
  readonly isLink: boolean;
}

/** The entries of `dir`, links followed; empty when there is no such directory. */
export async function listEntries(dir: string): Promise<readonly ListedEntry[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return await Promise.all(
      entries.map(async (entry) => ({
        name: entry.name,
        isLink: entry.isSymbolicLink(),
        isFile: entry.isFile() || (entry.isSymbolicLink() && (await isFile(join(dir, entry.name)))),
        executable: await isExecutable(join(dir, entry.name)),
      })),
    );
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return [];
    }
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Asks the kernel, as find(1) -executable does. */
async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
