/** Directories with those above them. */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * As `mkdir -p`. Node's own never ends where a directory that is there refuses with ENOENT, as those in
 * /proc do (measured with 20.20).
 */
export async function makeDirectories(directory: string): Promise<void> {
  if (await isDirectory(directory)) {
    return;
  }
  const parent = path.dirname(directory);
  if (parent !== directory) {
    await makeDirectories(parent);
  }
  await mkdir(directory).catch(async (error: unknown) => {
    // Somebody else may have been faster.
    if (!(await isDirectory(directory))) {
      throw error;
    }
  });
}

async function isDirectory(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
