/** What a directory on this machine holds, as `selectHooks` wants it. */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DirEntry } from './select.ts';

/** An entry, and whether it is a symbolic link: those mean something else inside a chroot. */
export interface ListedEntry extends DirEntry {
  readonly isLink: boolean;
}

/** The entries of `dir`, links followed; empty when there is no such directory. */
export function listEntries(dir: string): readonly ListedEntry[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isLink: entry.isSymbolicLink(),
      isFile: entry.isFile() || (entry.isSymbolicLink() && isFile(join(dir, entry.name))),
      executable: isExecutable(join(dir, entry.name)),
    }));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return [];
    }
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Asks the kernel, as find(1) -executable does. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
