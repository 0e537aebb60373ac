/** Directories with those above them, for every folder that makes one where the user says. */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { configError, failureOf } from './failure.ts';

/**
 * As `mkdir -p`; all that it makes have `mode`. Node's own never ends where a directory that is there refuses with
 * ENOENT, as those in /proc do (measured with 20.20).
 *
 * @throws what mkdir(2) says, with the `path` that could not be made
 */
export async function makeDirectories(directory: string, mode = 0o777): Promise<void> {
  try {
    await makeOne(directory, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
    await makeDirectories(path.dirname(directory), mode);
    await makeOne(directory, mode);
  }
}

/** Somebody else may have been faster. */
async function makeOne(directory: string, mode: number): Promise<void> {
  await mkdir(directory, { mode }).catch(async (error: unknown) => {
    if (!(await isDirectory(directory))) {
      throw error;
    }
  });
}

/** The same for one that the user has named. @throws Failed `config`, or `disk-full` */
export async function makeNamedDirectories(directory: string): Promise<void> {
  await makeDirectories(directory).catch((error: Error) => {
    if (failureOf(error).kind === 'disk-full') {
      throw error;
    }
    throw configError(`Cannot make the directory '${directory}': ${error.message}`, {
      hint: 'Name a place that can be written',
    });
  });
}

async function isDirectory(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
