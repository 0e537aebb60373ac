/** What is said of a file system of the host that is too full. Pure. */
import { Failed } from '../events/failure.ts';
import type { FreeSpace } from '../sandbox/free-space.ts';

export interface NoRoom {
  /** "No space left for ..." */
  readonly what: string;
  readonly directory: string;
  readonly free: FreeSpace;
  /** As far as it is known. */
  readonly neededBytes?: number;
  readonly hints: readonly string[];
}

export function noRoom({ what, directory, free, neededBytes, hints }: NoRoom): Failed {
  const needed = neededBytes === undefined ? '' : `${inMiB(neededBytes)} are needed, `;
  const inodes =
    free.freeInodes !== undefined && neededBytes === undefined
      ? ` and ${free.freeInodes} inodes`
      : '';
  return new Failed({
    kind: 'disk-full',
    message: `No space left for ${what} in '${directory}': ${needed}${inMiB(free.freeBytes)}${inodes} of ${inMiB(free.totalBytes)} are free`,
    path: directory,
    hint: hints.join('\n'),
  });
}

function inMiB(bytes: number): string {
  return `${Math.round((bytes * 10) / 2 ** 20) / 10} MiB`;
}
