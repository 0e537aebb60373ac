/**
 * Keeps the names of one file (hard links) together over the layers.
 *
 * A hook that changes a file of a layer below in place, under one of its names: an overlay with `index=on` copies it up
 * under that name alone and shows the copy under the others too, as long as it is mounted. In a layer, which is a plain
 * directory, the others would be missing; so they are copied up as well, which the kernel does by a link. Where
 * there is no index (in a user namespace, on file systems without file handles) the names part at the change.
 * Source: Documentation/filesystems/overlayfs.rst, "Non-standard behavior" and "Index".
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';

/**
 * All names in the tree $1 of the files in the upper $2 that have several names are opened for writing, which
 * copies them up and changes nothing. find(1) compares inodes, hence the names in the upper, as the tree shows them.
 */
const COPY_UP = `
cd "$1" || exit
find "$2" -xdev -type f -links +1 -printf './%P\\0' | xargs --null --no-run-if-empty --max-args 500 sh -c '
    for name; do
        shift
        set -- "$@" -o -samefile "$name"
    done
    shift
    exec find . -xdev -type f -links +1 "(" "$@" ")" -exec sh -c "for name; do : >>\\"\\$name\\" || exit; done" sh {} +
' sh
`;

/** An overlay that is mounted. */
export interface LinkedOverlay {
  readonly root: string;
  readonly upper: string;
  readonly work: string;
}

/** Gives the upper all names of what was changed under one of them; false where one cannot be opened for writing. */
export async function linkAllNames(overlay: LinkedOverlay, context: Context): Promise<boolean> {
  const { root, upper, work } = overlay;
  const changed = await readdir(path.join(work, 'index')).catch(() => []);
  if (changed.length === 0) {
    return true;
  }
  return runTool(['sh', '-c', COPY_UP, 'sh', root, upper], context, { announce: false }).then(
    () => true,
    () => {
      context.signal.throwIfAborted();
      return false;
    },
  );
}
