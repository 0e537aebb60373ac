/** A squashfs of the tree, from the same reading of it as the archives. */
import { lstat } from 'node:fs/promises';
import { squashArgv } from './commands.ts';
import type { Program, Source } from './writer.ts';

/** The program that makes `file` from the archive of the tree. */
export async function squashInto({ tree, sourceDate }: Source, file: string): Promise<Program> {
  return {
    argv: squashArgv(file, await lstat(tree)),
    env: { SOURCE_DATE_EPOCH: String(sourceDate) },
  };
}
