/** What a phase writes into the hook tree belongs to its layer: `hooks/` there. */
import { cp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';

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
  await cp(path.join(layer, 'hooks'), hooksDir, {
    recursive: true,
    force: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  });
}
