/** What is said of a file system of the host that is too full. Pure. */
import { Failed } from './failure.ts';

/** Of a file system. */
export interface FreeSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Absent where the file system makes them as they are needed. */
  readonly freeInodes?: number;
  readonly inMemory: boolean;
  /** Files may take less than their length there. */
  readonly mayCompress: boolean;
}

export interface NoRoom {
  /** "No space left for ..." */
  readonly what: string;
  readonly directory: string;
  readonly free: FreeSpace;
  /** As far as it is known. */
  readonly neededBytes?: number;
  /** What `neededBytes` is a guess by. */
  readonly guessedBy?: string;
  readonly hints: readonly string[];
}

export function noRoom(lack: NoRoom): Failed {
  const { what, directory, hints } = lack;
  return new Failed({
    kind: 'disk-full',
    message: `No space left for ${what} in '${directory}': ${describeRoom(lack)}`,
    path: directory,
    hint: hints.join('\n'),
  });
}

/** What is needed, and what there is. */
export function describeRoom({
  free,
  neededBytes,
  guessedBy,
}: Pick<NoRoom, 'free' | 'neededBytes' | 'guessedBy'>): string {
  const { freeBytes, totalBytes, freeInodes } = free;
  const about = guessedBy === undefined ? '' : 'about ';
  const by = guessedBy === undefined ? '' : ` (${guessedBy})`;
  const needed = neededBytes === undefined ? '' : `${about}${inMiB(neededBytes)} are needed${by}, `;
  const inodes =
    freeInodes !== undefined && neededBytes === undefined ? ` and ${freeInodes} inodes` : '';
  return `${needed}${inMiB(freeBytes)}${inodes} of ${inMiB(totalBytes)} are free`;
}

function inMiB(bytes: number): string {
  return `${Math.round((bytes * 10) / 2 ** 20) / 10} MiB`;
}
