/** How large a whole tree is, noted beside its highest layer, so that the next build need not measure it. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A tree as `du`, `find` and `tar` see it. */
export interface MeasuredTree {
  readonly usedKiB: number;
  readonly inodes: number;
  readonly archiveKiB: number;
}

/** Puts it into `file` in one step; `directory` is the build's own, on the same file system. */
export async function writeSize(
  file: string,
  { usedKiB, inodes, archiveKiB }: MeasuredTree,
  directory: string,
): Promise<void> {
  const fresh = path.join(directory, 'size');
  try {
    await writeFile(fresh, `${usedKiB} ${inodes} ${archiveKiB}`);
    await rename(fresh, file);
  } catch {
    // Whoever wants it measures again.
  }
}

/** Undefined where nobody has measured it, or an older version has. */
export async function readSize(file: string): Promise<MeasuredTree | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [usedKiB, inodes, archiveKiB] = /^\d+ \d+ \d+$/.test(text)
    ? text.split(' ').map(Number)
    : [];
  return usedKiB === undefined || inodes === undefined || archiveKiB === undefined
    ? undefined
    : { usedKiB, inodes, archiveKiB };
}
