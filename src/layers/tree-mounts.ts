/**
 * Mounts the tree of a build, unmounts it, or does one after the other: all of it in one process of the shell,
 * because a build does it often, and each process that the engine starts takes milliseconds.
 */
import type { Context } from '../events/event.ts';
import { failureOf } from '../events/failure.ts';
import { type Mount, mountWords } from '../sandbox/mounts.ts';
import { OVERLAY_ENVIRONMENT } from '../sandbox/overlay.ts';
import { runTool } from '../sandbox/process.ts';

/** A tree that is mounted. */
export interface OldTree {
  readonly root: string;
  /** What is mounted in it and hangs on nothing else in it. */
  readonly inside: readonly string[];
}

/** A tree that is to be mounted. */
export interface NewTree {
  /** That the paths of its mount are relative to. */
  readonly base: string;
  /** Takes the owner, mode, times and attributes of `from`; the root directory of an overlay is its upper's. */
  readonly upper: { readonly directory: string; readonly from: string | undefined };
  /** The tree, and what is mounted in it. */
  readonly mounts: readonly Mount[];
  /** For a failure. */
  readonly hint: string;
}

export interface TreeChange {
  readonly from?: OldTree;
  readonly to?: NewTree;
  /** An empty directory in the tree that comes and goes with what is mounted on it. */
  readonly view: string;
}

/** Ends with this when the old tree is still mounted. */
const STAYED = 100;

/**
 * Attributes of the directory $1, if it is not empty, go to $2; the tree $3, if it is not empty, is unmounted with
 * the $5 words that follow, which are mounted in it, and without the empty directory $4; what to mount follows. Only
 * tar can name, and copy, all extended attributes. It does so beside the unmounting, which takes longer.
 */
const CHANGE = `
from=$1 to=$2 tree=$3 view=$4 inside=$5
shift 5
attributes() {
    tar --directory "$1" --format=posix --numeric-owner --no-recursion \\
        --xattrs '--xattrs-include=*' '--xattrs-exclude=*.overlay.*' "$2" --file - .
}
[ -z "$from" ] || attributes "$from" --create | attributes "$to" --extract &
copying=$!
stays() {
    wait "$copying"
    exit ${STAYED}
}
if [ -n "$tree" ]; then
    words= number=0
    while [ "$number" -lt "$inside" ]; do
        number=$((number + 1))
        words="$words \\"\\\${$number}\\""
    done
    [ "$inside" -eq 0 ] || eval "umount --lazy --no-canonicalize $words" || stays
    shift "$inside"
    [ ! -d "$view" ] || rmdir "$view" || stays
    umount "$tree" || stays
fi
wait "$copying" || exit
while [ $# -gt 0 ]; do
    [ "$4" != "$view" ] || [ -d "$4" ] || mkdir -m 755 "$4" || exit
    mount -t "$1" -o "$2" "$3" "$4" || exit
    shift 4
done
`;

/**
 * Unmounts a tree, mounts another; false when the old one stays, because somebody is in it. Then what is mounted in
 * it may have gone.
 *
 * @throws Failed `tool` where the new one cannot be mounted; some of it may be
 */
export async function changeTree(change: TreeChange, context: Context): Promise<boolean> {
  const { from, to, view } = change;
  const inside = from?.inside ?? [];
  const argv = [
    'sh',
    '-c',
    CHANGE,
    'sh',
    to?.upper.from ?? '',
    to?.upper.directory ?? '',
    from?.root ?? '',
    view,
    String(inside.length),
    ...inside,
    ...(await mountWords(to?.mounts ?? [])),
  ] as const;
  const how = {
    announce: false,
    env: OVERLAY_ENVIRONMENT,
    ...(to === undefined ? {} : { cwd: to.base, hint: to.hint }),
  };
  try {
    await runTool([...argv], context, how);
    return true;
  } catch (error) {
    context.signal.throwIfAborted();
    const failure = failureOf(error);
    if (failure.kind === 'tool' && failure.status === STAYED) {
      return false;
    }
    throw error;
  }
}
