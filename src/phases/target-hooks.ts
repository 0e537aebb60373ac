/**
 * The hook tree as hooks in the target see it, at /tmp/in_target.d while a phase runs (compat).
 *
 * Nothing that hooks write there reaches the hook tree. Where it is to be known what they read, they
 * see a copy: of what is mounted read-only the kernel notes no access. It cannot be changed either,
 * where the kernel has immutable files in memory.
 */
import { lstat, mkdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { type AccessTimes, type Read, readSince } from '../layers/trace.ts';
import { MOUNT_ALL, type Mount, mountAll, mountsBelow, mountWords } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';
import { type BuildPaths, TARGET_HOOKS } from './environment.ts';

/** Where in the build directory the copy is mounted. */
export const HOOKS_COPY = 'in_target.d';

/**
 * Copies the tree $1 to where $2 is mounted, once more if $3 says so, and mounts what follows. The copy has the
 * tree's access times: to make it immutable is to list it, which `noatime` does not note.
 */
const COPY_AND_MOUNT = `
from=$1 copy=$2 again=$3
shift 3
[ -z "$again" ] || umount --lazy "$copy" || exit
mount -t tmpfs -o mode=755,noatime tmpfs "$copy" || exit
cp -a --no-target-directory -- "$from" "$copy" || exit
chattr -fR +i "$copy" 2>/dev/null || :
[ -w "$copy" ] || echo immutable
${MOUNT_ALL}`;

/**
 * The copy that hooks in the target see. It is made when it is wanted first, and anew when the hook tree is
 * another one: a cut of a phase, and most phases, show the one that is there.
 */
export class HooksCopy {
  readonly #directory: string;
  #mounted = false;
  #current = false;
  #times: AccessTimes = new Map();

  /** `directory`: where it is to be mounted; outside of the target. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The hook tree has been changed. */
  outdate(): void {
    this.#current = false;
  }

  /** What shows the copy that is there; undefined where it has to be made. */
  mountsAt(target: string): readonly Mount[] | undefined {
    return this.#current ? this.#seenAt(target) : undefined;
  }

  /** Mounts `first`, and at `target` a copy of `from`, whose access times are in the past. */
  async show(
    where: { readonly from: string; readonly target: string; readonly first: readonly Mount[] },
    context: Context,
  ): Promise<void> {
    const { from, target, first } = where;
    const source = this.#directory;
    const mounts = [...first, ...this.#seenAt(target)];
    if (this.#current) {
      await mountAll(mounts, context);
      return;
    }
    await mkdir(source, { recursive: true });
    const words = [from, source, this.#mounted ? 'again' : '', ...(await mountWords(mounts))];
    this.#mounted = true;
    const argv: [string, ...string[]] = ['sh', '-c', COPY_AND_MOUNT, 'sh', ...words];
    const said = await runTool(argv, context, { announce: false });
    // Else hooks may write there, which nobody sees who goes on from a layer.
    this.#current = said.includes('immutable');
    this.#times = readSince(source).times;
  }

  /** In two steps. Source: mount(8): of a new bind mount, flags of its own are not asked for. */
  #seenAt(target: string): readonly Mount[] {
    const options = ['bind', 'remount,bind,strictatime'];
    return options.map((each) => ({ source: this.#directory, target, options: each }));
  }

  /** What hooks have read of it since it was shown, or since this was asked. */
  readSince(): Read {
    const read = readSince(this.#directory, this.#times);
    this.#times = read.times;
    return read;
  }
}

/**
 * Shows the hook tree in the target until the scope ends, or whoever unmounts the target has taken it away.
 * `copy`: it is to be known what is read. `first` is mounted before it.
 */
export async function showHooks(
  { targetRoot, hooksDir }: BuildPaths,
  how: {
    readonly scope: Scope;
    readonly copy: HooksCopy | undefined;
    readonly first: readonly Mount[];
  },
  context: Context,
): Promise<void> {
  const tmp = path.join(targetRoot, 'tmp');
  const found = await lstat(tmp).catch(() => undefined);
  if (found === undefined) {
    await mkdir(tmp, { mode: 0o1777 });
  } else if (!found.isDirectory()) {
    throw configError("Cannot run hooks in the target: its '/tmp' is not a directory");
  }
  const target = path.join(targetRoot, TARGET_HOOKS);
  await mkdir(target, { mode: 0o755 });
  const unhindered = { ...context, signal: new AbortController().signal };
  how.scope.defer(async () => {
    if (mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), tmp).includes(target)) {
      await runTool(['umount', '--lazy', target], unhindered, { announce: false });
    }
    await rmdir(target).catch(unlessGone);
  });
  const { copy, first } = how;
  await (copy === undefined
    ? mountAll([...first, { source: hooksDir, target, options: 'bind,ro' }], context)
    : copy.show({ from: hooksDir, target, first }, context));
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}
