/**
 * Fills a FAT file system in a fixed order: mtools alone would take directories as the host's file
 * system lists them.
 */
import { lstat, lutimes, readdir } from 'node:fs/promises';
import path from 'node:path';
import { mcopyArgv, mmdArgv } from './commands.ts';
import type { FileSystemLayout } from './layout.ts';

/** A directory of a tree: its path in the tree, `/` for the top, and the files in it, host paths. */
export interface TreeDirectory {
  readonly path: string;
  readonly files: readonly string[];
}

/** All directories of a tree, outer ones first, everything sorted by code unit. */
export async function listTree(tree: string, at = '/'): Promise<readonly TreeDirectory[]> {
  const entries = await readdir(path.join(tree, at), { withFileTypes: true });
  const names = (isDirectory: boolean): string[] =>
    entries
      .filter((entry) => entry.isDirectory() === isDirectory)
      .map(({ name }) => path.join(at, name))
      .toSorted();
  const below: TreeDirectory[] = [];
  for (const directory of names(true)) {
    below.push(...(await listTree(tree, directory)));
  }
  return [{ path: at, files: names(false).map((name) => path.join(tree, name)) }, ...below];
}

/** The commands that put a listed tree into a file system. Pure. */
export function fatCommands(
  fs: FileSystemLayout,
  file: string,
  tree: readonly TreeDirectory[],
): readonly (readonly [string, ...string[]])[] {
  const made = tree.map((directory) => directory.path).filter((each) => each !== '/');
  return [
    ...(made.length > 0 ? [mmdArgv(fs, file, made)] : []),
    ...tree
      .filter(({ files }) => files.length > 0)
      .map(({ path: into, files }) => mcopyArgv(fs, file, { files, into })),
  ];
}

/** Sets times later than `date`, seconds, to that: mtools copies them as they are. */
export async function clampTimes(tree: string, date: number): Promise<void> {
  for (const entry of await readdir(tree, { recursive: true })) {
    const file = path.join(tree, entry);
    if ((await lstat(file)).mtimeMs > date * 1000) {
      await lutimes(file, date, date);
    }
  }
}
