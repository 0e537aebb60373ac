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
import { failureOf } from '../events/failure.ts';
import { runTool } from '../sandbox/process.ts';

/**
 * Files with several names in the upper $2 of the tree $1 have a change of mode under all their names that changes
 * nothing but copies them up; also while they run as programs. $3 is a new directory to work in.
 *
 * The tree is looked at without what is mounted in it, which hides names. Its inodes tell what belongs together, not
 * the upper's. A slash is in no inode and between the parts of a name: so it is what separates fields.
 */
const COPY_UP = `
export LC_ALL=C
mkdir -p "$3/tree" && mount --bind "$1" "$3/tree" || exit
(
    set -e
    cd "$3/tree"
    find "$2" -type f -links +1 -printf './%P\\0' >../changed
    xargs --null --no-run-if-empty stat --printf '%d:%i\\0' <../changed >../inodes
    find . -type f -links +1 -printf '%D:%i/%P\\0' >../names
    sort --zero-terminated --unique --output ../inodes ../inodes
    sort --zero-terminated --field-separator / --key 1,1 --output ../names ../names
    join --zero-terminated -t / ../inodes ../names >../changed
    cut --zero-terminated --delimiter / --fields 2- ../changed >../names
    xargs --null --no-run-if-empty chmod -- u+ <../names
)
status=$?
umount "$3/tree" && exit "$status"
`;

/** An overlay that is mounted. */
export interface LinkedOverlay {
  readonly root: string;
  readonly upper: string;
  readonly work: string;
}

/** Gives the upper all names of what was changed under one of them; otherwise why it could not. */
export async function linkAllNames(
  { root, upper, work }: LinkedOverlay,
  context: Context,
): Promise<string | undefined> {
  const changed = await readdir(path.join(work, 'index')).catch(() => []);
  if (changed.length === 0) {
    return undefined;
  }
  const argv = ['sh', '-c', COPY_UP, 'sh', root, upper, path.join(work, 'names')] as const;
  try {
    await runTool(argv, context, { announce: false });
    return undefined;
  } catch (error) {
    context.signal.throwIfAborted();
    const failure = failureOf(error);
    const said = failure.kind === 'tool' ? failure.lastLines.at(-1) : undefined;
    return `not all names of a file that was changed can be kept: ${said ?? failure.message}`;
  }
}
