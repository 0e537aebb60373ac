/** How large a whole tree is, noted beside its highest layer, so that the next build need not measure it. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A tree as `du` and `find` see it. */
export interface MeasuredTree {
  readonly usedKiB: number;
  readonly inodes: number;
}

/** Puts it into `file` in one step; `directory` is the build's own, on the same file system. */
export async function writeSize(
  file: string,
  { usedKiB, inodes }: MeasuredTree,
  directory: string,
): Promise<void> {
  const fresh = path.join(directory, 'size');
  try {
    await writeFile(fresh, `${usedKiB} ${inodes}`);
    await rename(fresh, file);
  } catch {
    // Whoever wants it measures again.
  }
}

/** Undefined where nobody has measured it. */
export async function readSize(file: string): Promise<MeasuredTree | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, usedKiB, inodes] = /^(\d+) (\d+)$/.exec(text) ?? [];
  return inodes === undefined ? undefined : { usedKiB: Number(usedKiB), inodes: Number(inodes) };
}
