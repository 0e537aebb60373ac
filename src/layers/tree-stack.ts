/**
 * The target root as a stack of layers with a fresh upper on top, which becomes the next layer.
 *
 *     unmounted ──begin──▶ mounted ──take──▶ unmounted, one layer more to come
 *                             │ busy, or somebody else's mount in it
 *                             └──────────▶ mounted: what comes next goes into the same upper
 *
 * Nothing is mounted until something has to run: a build whose layers all fit mounts nothing. An upper lies
 * in memory where there is room, else in the store's file system. The lowest layer in memory needs no overlay:
 * its directory is the tree itself, which programs that make files are served faster by.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import {
  exists,
  MOUNT_ALL,
  type Mount,
  mountAll,
  mountsBelow,
  mountWords,
  topMountsBelow,
  unmountBelow,
} from '../sandbox/mounts.ts';
import { OVERLAY_ENVIRONMENT, overlayMount, overlayOptions } from '../sandbox/overlay.ts';
import { runTool } from '../sandbox/process.ts';
import { withOtherMounts } from '../sandbox/stragglers.ts';
import { inUserNamespace } from '../sandbox/user-namespace.ts';
import { HOOKS_VIEW, type HookMounts, hookMounts } from './binds.ts';
import { nameLower } from './lower-names.ts';
import type { BindRecord } from './record.ts';

export interface StackPlace {
  /** Of this build, below the layer store. */
  readonly build: string;
  /** A directory on a tmpfs, for uppers that may lie in memory. */
  readonly memory?: string;
  readonly targetRoot: string;
  /** Paths that vary by run, and what stands for them. */
  readonly runPaths: ReadonlyMap<string, string>;
  /** As in `TargetPaths`. */
  readonly passing: readonly string[];
}

/** A finished upper: `directory` has `tree/`, and is ours to publish. */
export interface Taken {
  readonly directory: string;
  readonly inMemory: boolean;
  readonly binds: readonly BindRecord[];
}

export type TakeOutcome =
  | { readonly kind: 'taken'; readonly taken: Taken }
  /** Still mounted: the reason is for a person. */
  | { readonly kind: 'kept'; readonly why: string; readonly lasting: boolean };

interface Mounted {
  readonly directory: string;
  readonly inMemory: boolean;
  /** The upper by itself, without an overlay. */
  readonly plain: boolean;
}

/** How often, and how long in all, we wait for what a hook left running to end by itself. */
const BUSY_TRIES = 10;
const BUSY_PAUSE_MS = 100;

/** An option of twice as many bytes is more than fsconfig(2) takes. */
const LONG_OPTION = 200;

/**
 * Mounts an overlay with the options $1 and looks whether it works: a directory in place of one that was
 * removed needs an attribute, which not every file system has.
 */
const PROBE = `
mount -t overlay -o "$1" overlay "$PWD/at" || exit
rmdir at/directory && mkdir at/directory
status=$?
umount "$PWD/at" && exit "$status"
`;

export class TreeStack {
  readonly #place: StackPlace;
  #number = 0;
  #mounted: Mounted | undefined;
  #binds: readonly BindRecord[] = [];

  constructor(place: StackPlace) {
    this.#place = place;
  }

  get mounted(): boolean {
    return this.#mounted !== undefined;
  }

  /** Where changes go, while the tree is mounted. */
  get upper(): string | undefined {
    return this.#mounted === undefined ? undefined : path.join(this.#mounted.directory, 'tree');
  }

  /** Whether the kernel lets us do this with an upper in the store's file system, or in memory. */
  async probe(where: 'store' | 'memory', context: Context): Promise<boolean> {
    const { build, memory } = this.#place;
    const base = where === 'store' ? build : memory;
    if (base === undefined) {
      return false;
    }
    const at = path.join(base, 'probe');
    // As long as many layers make it.
    const lower = [`${'./'.repeat(LONG_OPTION)}lower`];
    const options = overlayOptions({ lower, upper: 'upper', work: 'work' }, inUserNamespace());
    try {
      for (const name of ['lower/directory', 'at', 'upper', 'work']) {
        mkdirSync(path.join(at, name), { recursive: true });
      }
      const argv: [string, ...string[]] = ['sh', '-c', PROBE, 'sh', options];
      await runTool(argv, context, { announce: false, cwd: at, env: OVERLAY_ENVIRONMENT });
      return true;
    } catch {
      context.signal.throwIfAborted();
      return false;
    } finally {
      rmSync(at, { recursive: true, force: true });
    }
  }

  /** Says which mounts of hooks belong to the tree that is about to be mounted. */
  expectBinds(binds: readonly BindRecord[]): void {
    this.#binds = binds;
  }

  /**
   * Mounts trees, lowest first, with a fresh upper on top; hooks' mounts are made again. `trees`: absolute.
   */
  async begin(
    trees: readonly string[],
    where: 'store' | 'memory',
    context: Context,
  ): Promise<void> {
    if (this.#mounted !== undefined) {
      return;
    }
    const { build, memory, targetRoot } = this.#place;
    const inMemory = where === 'memory' && memory !== undefined;
    this.#number += 1;
    const directory = path.join(inMemory ? memory : build, String(this.#number));
    const upper = path.join(directory, 'tree');
    const work = `${directory}.work`;
    const empty = path.join(build, 'empty');
    for (const each of [upper, work, empty]) {
      mkdirSync(each, { recursive: true, mode: 0o755 });
    }
    const base = path.join(build, 'lower');
    const lower = nameLower(base, trees.length === 0 ? [empty] : trees);
    const shortened = (each: string): string =>
      each.startsWith(`${build}/`) ? path.relative(base, each) : each;
    const plain = inMemory && trees.length === 0;
    const tree: Mount = plain
      ? this.#plainMount(upper)
      : overlayMount({
          base,
          lower,
          upper: shortened(upper),
          work: shortened(work),
          target: targetRoot,
        });
    const words = await mountWords([tree, ...this.#bindMounts()]);
    const argv = ['sh', '-c', ENTER, 'sh', trees.at(-1) ?? '', upper, ...words] as const;
    await runTool(argv, context, {
      announce: false,
      cwd: base,
      env: OVERLAY_ENVIRONMENT,
      hint: `The tree has ${trees.length} layers. To build without layers: --no-cache`,
    }).catch(async (error: unknown) => {
      // The tree may be mounted, and a hook's mount in it has failed.
      await this.#unmountAll(context).catch(() => {});
      throw error;
    });
    this.#mounted = { directory, inMemory, plain };
  }

  /** What hooks have mounted in the tree now. */
  async hookMounts(): Promise<HookMounts> {
    const { targetRoot, runPaths, passing } = this.#place;
    const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
    return hookMounts(mountinfo, { targetRoot, runPaths, passing });
  }

  /** Ends the use of the upper, if nobody is in it any more. */
  async take(context: Context): Promise<TakeOutcome> {
    const mounted = this.#mounted;
    if (mounted === undefined) {
      throw new Error('There is no upper to take');
    }
    const { binds, others } = await this.hookMounts();
    const [other] = others;
    if (other !== undefined) {
      return { kind: 'kept', why: `a hook has mounted ${other}`, lasting: true };
    }
    this.#binds = binds;
    if (!(await this.#isAlone(context)) || !(await this.#leave(context))) {
      await this.#restoreBinds(context);
      return { kind: 'kept', why: 'a process that a hook left runs in it', lasting: false };
    }
    // Only now that nobody makes and removes files in it.
    const upper = path.join(mounted.directory, 'tree');
    if (mounted.plain && (await hasWhiteout(upper, context))) {
      await mountAll([this.#plainMount(upper), ...this.#bindMounts()], context);
      const why = 'a device 0:0 is in it, which in a layer stands for a file that was removed';
      return { kind: 'kept', why, lasting: true };
    }
    this.#mounted = undefined;
    await rm(`${mounted.directory}.work`, { recursive: true, force: true });
    const { directory, inMemory } = mounted;
    return { kind: 'taken', taken: { directory, inMemory, binds } };
  }

  /** Unmounts the tree and all in it; false when somebody is in it. */
  async #leave(context: Context): Promise<boolean> {
    const { targetRoot } = this.#place;
    const inside = topMountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), targetRoot);
    const view = path.join(targetRoot, HOOKS_VIEW);
    const argv = ['sh', '-c', LEAVE, 'sh', targetRoot, view, ...inside] as const;
    const left = await runTool(argv, context, { announce: false }).then(
      () => true,
      () => false,
    );
    if (left) {
      return true;
    }
    context.signal.throwIfAborted();
    await unmountBelow(targetRoot, context);
    await rmdir(view).catch(() => {});
    return soon(() => this.#unmount(context), context);
  }

  /** Whether no process has mounts of its own: the tree among them would stay when ours has gone. */
  #isAlone(context: Context): Promise<boolean> {
    return soon(async () => withOtherMounts().length === 0, context);
  }

  async #unmount(context: Context): Promise<boolean> {
    const argv = ['umount', this.#place.targetRoot] as const;
    return runTool(argv, context, { announce: false }).then(
      () => true,
      () => false,
    );
  }

  async #unmountAll(context: Context): Promise<void> {
    await unmountBelow(this.#place.targetRoot, context);
    await this.#unmount(context);
  }

  async #restoreBinds(context: Context): Promise<void> {
    const { targetRoot } = this.#place;
    const mounted = mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), targetRoot);
    const missing = this.#bindMounts().filter(({ target }) => !mounted.includes(target));
    await mountAll(missing, context);
  }

  #plainMount(upper: string): Mount {
    return { source: upper, target: this.#place.targetRoot, options: 'bind' };
  }

  #bindMounts(): readonly Mount[] {
    const { targetRoot, runPaths } = this.#place;
    return this.#binds.map(({ source, target, readOnly }) => ({
      source: hereAgain(source, runPaths),
      target: path.join(targetRoot, target),
      options: readOnly ? 'bind,ro' : 'bind',
    }));
  }
}

/** A path in which placeholders stand for what varies by run, as it is in this run. Pure. */
export function hereAgain(text: string, runPaths: ReadonlyMap<string, string>): string {
  return [...runPaths].reduce(
    (result, [real, placeholder]) => result.replaceAll(placeholder, real),
    text,
  );
}

/** Paths of what a layer wants mounted and is not there. */
export async function missingBinds(
  binds: readonly BindRecord[],
  runPaths: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const sources = binds.map(({ source }) => hereAgain(source, runPaths));
  const found = await Promise.all(sources.map(exists));
  return sources.filter((_, index) => found[index] !== true);
}

/** Whether something is so, now or when what a hook left running has ended by itself. */
async function soon(isSo: () => Promise<boolean>, context: Context): Promise<boolean> {
  for (let tries = 0; tries < BUSY_TRIES; tries += 1) {
    if (await isSo()) {
      return true;
    }
    await sleep(BUSY_PAUSE_MS, undefined, { signal: context.signal });
  }
  return false;
}

/** Whether there is what an overlay would hide; an overlay lets nobody make it. */
async function hasWhiteout(tree: string, context: Context): Promise<boolean> {
  const stat = ['-exec', 'stat', '--format=%t:%T', '{}', '+'];
  const argv = ['find', tree, '-xdev', '-type', 'c', ...stat] as const;
  const devices = await runTool([...argv], context, { announce: false });
  return devices.split('\n').includes('0:0');
}

/**
 * Mounts a tree: attributes of its root come from $1, if that is not empty, to $2; what to mount follows. The
 * root directory of an overlay is its upper's. Only tar can name, and copy, all extended attributes.
 */
const ENTER = `
from=$1 to=$2
shift 2
attributes() {
    tar --directory "$1" --format=posix --numeric-owner --no-recursion \\
        --xattrs '--xattrs-include=*' '--xattrs-exclude=*.overlay.*' "$2" --file - .
}
[ -z "$from" ] || attributes "$from" --create | attributes "$to" --extract || exit
${MOUNT_ALL}`;

/** Unmounts the tree $1, without the empty directory $2, and first what is mounted in it. */
const LEAVE = `
tree=$1 view=$2
shift 2
[ $# -eq 0 ] || umount --lazy --no-canonicalize "$@" || exit
[ ! -d "$view" ] || rmdir "$view" || exit
exec umount "$tree"
`;
