/** What a phase writes into the hook tree belongs to its layer: `hooks/` there. */
import { lstatSync } from 'node:fs';
import { cp, lstat, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';

/** The first of `written` that is neither a file nor a directory or link, such as a named pipe or a socket. */
export function specialFile(hooksDir: string, written: readonly string[]): string | undefined {
  return written.find((name) => {
    const found = lstatSync(path.join(hooksDir, name));
    return !found.isFile() && !found.isDirectory() && !found.isSymbolicLink();
  });
}

/** Copies `written` (paths in the hook tree) into a layer in the making. */
export async function saveWritten(
  hooksDir: string,
  written: readonly string[],
  layer: string,
): Promise<void> {
  const to = path.join(layer, 'hooks');
  await mkdir(to, { recursive: true });
  for (const name of written) {
    await mkdir(path.dirname(path.join(to, name)), { recursive: true });
    await cp(path.join(hooksDir, name), path.join(to, name), {
      // What is in a directory that was made is in the list by itself.
      recursive: true,
      filter: (source) =>
        source === path.join(hooksDir, name) ||
        !path.relative(hooksDir, source).startsWith(`${name}/`),
      verbatimSymlinks: true,
      preserveTimestamps: true,
      mode: 0,
    });
  }
}

/** Makes the hook tree what it was after a layer that has written and removed these in it. */
export async function putWritten(
  layer: string,
  {
    written,
    removed,
  }: { readonly written: readonly string[]; readonly removed: readonly string[] },
  hooksDir: string,
): Promise<void> {
  for (const name of removed) {
    await rm(path.join(hooksDir, name), { recursive: true, force: true });
  }
  if (written.length === 0) {
    return;
  }
  for (const name of written) {
    await makeWay(path.join(layer, 'hooks', name), path.join(hooksDir, name));
  }
  await cp(path.join(layer, 'hooks'), hooksDir, {
    recursive: true,
    force: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  });
}

/** Of what is replaced only a directory stays, by a directory: Node copies nothing of one kind onto another. */
async function makeWay(from: string, to: string): Promise<void> {
  const [fresh, old] = await Promise.all([lstat(from), lstat(to).catch(() => undefined)]);
  if (old !== undefined && !(fresh.isDirectory() && old.isDirectory())) {
    await rm(to, { recursive: true });
  }
}
