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
 * Files of the index $4 that have names in the upper $2 of the tree $1, but not all that the tree shows: a change of mode
 * under each name, which changes nothing but copies it up; also while they run as programs. $3 is a new directory to work in.
 *
 * Packages that come and go leave files in the index of which all names are in the upper, or none: then the tree is not
 * gone through. It is looked at without what is mounted in it, which hides names. Its inodes tell what belongs together,
 * not the upper's. A slash is in no inode and between the parts of a name: so it is what separates fields.
 */
const COPY_UP = `
export LC_ALL=C
mkdir -p "$3/tree" && cd "$3" || exit
by_inode() { sort --zero-terminated --field-separator / --key 1,1 --output "$1" "$1"; }
find "$4" -type f -links +1 -printf '%i\\0' >inodes
[ -s inodes ] || exit 0
find "$2" -type f -links +1 -printf '%i/./%P\\0' >names
by_inode inodes && by_inode names || exit
join --zero-terminated -t / inodes names >found
cut --zero-terminated --delimiter / --fields 2- found >changed
mount --bind "$1" tree || exit
(
    set -e
    cd tree
    (cd "$2" && xargs --null --no-run-if-empty stat --printf '%h\\n') <../changed >../upper
    xargs --null --no-run-if-empty stat --printf '%h\\n' <../changed >../shown
    # One link of each file in the upper is the index's.
    paste ../upper ../shown | awk '$2 >= $1 { missing = 1 } END { exit !missing }' || exit 0
    xargs --null --no-run-if-empty stat --printf '%d:%i\\0' <../changed >../inodes
    find . -type f -links +1 -printf '%D:%i/%P\\0' >../names
    sort --zero-terminated --unique --output ../inodes ../inodes
    by_inode ../names
    join --zero-terminated -t / ../inodes ../names >../found
    cut --zero-terminated --delimiter / --fields 2- ../found >../changed
    xargs --null --no-run-if-empty chmod -- u+ <../changed
)
status=$?
umount tree && exit "$status"
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
  const [names, index] = [path.join(work, 'names'), path.join(work, 'index')];
  if ((await readdir(index).catch(() => [])).length === 0) {
    return undefined;
  }
  const argv = ['sh', '-c', COPY_UP, 'sh', root, upper, names, index] as const;
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
