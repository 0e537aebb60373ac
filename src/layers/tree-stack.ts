/**
 * The target root as a stack of layers with a fresh upper on top, which becomes the next layer.
 *
 *     unmounted ──begin──▶ mounted ──take──▶ unmounted, one layer more to come
 *                             │ busy, or somebody else's mount in it
 *                             └──────────▶ mounted: what comes next goes into the same upper
 *
 * Nothing is mounted until something has to run: a build whose layers all fit mounts nothing. An upper lies
 * in memory where there is room, else in the store's file system.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { chmod, chown, lstat, readFile, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import { exists, mount, mountsBelow, unmountBelow } from '../sandbox/mounts.ts';
import { mountOverlay, overlayOptions } from '../sandbox/overlay.ts';
import { runTool } from '../sandbox/process.ts';
import { inUserNamespace } from '../sandbox/user-namespace.ts';
import { type HookMounts, hookMounts } from './binds.ts';
import type { BindRecord } from './record.ts';

export interface StackPlace {
  /** The layer store. */
  readonly store: string;
  /** Of this build, below the store. */
  readonly build: string;
  /** A directory on a tmpfs, for uppers that may lie in memory. */
  readonly memory?: string;
  readonly targetRoot: string;
  /** Paths that vary by run, and what stands for them. */
  readonly runPaths: ReadonlyMap<string, string>;
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

/** How often, and how long in all, we wait for what a hook left running to end by itself. */
const BUSY_TRIES = 10;
const BUSY_PAUSE_MS = 100;

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
  #mounted: { readonly directory: string; readonly inMemory: boolean } | undefined;
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
    for (const name of ['lower/directory', 'at', 'upper', 'work']) {
      mkdirSync(path.join(at, name), { recursive: true });
    }
    const options = overlayOptions(
      { lower: ['lower'], upper: 'upper', work: 'work' },
      inUserNamespace(),
    );
    try {
      const argv: [string, ...string[]] = ['sh', '-c', PROBE, 'sh', options];
      await runTool(argv, context, { announce: false, cwd: at });
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
    const { store, build, memory, targetRoot } = this.#place;
    const inMemory = where === 'memory' && memory !== undefined;
    this.#number += 1;
    const directory = path.join(inMemory ? memory : build, String(this.#number));
    const upper = path.join(directory, 'tree');
    const work = `${directory}.work`;
    const empty = path.join(build, 'empty');
    for (const each of [upper, work, empty]) {
      mkdirSync(each, { recursive: true, mode: 0o755 });
    }
    const top = trees.at(-1);
    if (top !== undefined) {
      await copyRootAttributes(top, upper, context);
    }
    const lower = trees.length === 0 ? [empty] : trees;
    const shortened = (each: string): string =>
      each.startsWith(`${store}/`) ? path.relative(store, each) : each;
    await mountOverlay(
      {
        base: store,
        lower: lower.map(shortened),
        upper: shortened(upper),
        work: shortened(work),
        target: targetRoot,
      },
      context,
    );
    this.#mounted = { directory, inMemory };
    await this.#restoreBinds(context);
  }

  /** What hooks have mounted in the tree now. */
  async hookMounts(): Promise<HookMounts> {
    const { targetRoot, runPaths } = this.#place;
    return hookMounts(await readFile('/proc/self/mountinfo', 'utf8'), targetRoot, runPaths);
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
    const { targetRoot } = this.#place;
    await unmountBelow(targetRoot, context);
    this.#binds = binds;
    if (!(await this.#unmount(context))) {
      await this.#restoreBinds(context);
      return { kind: 'kept', why: 'a process that a hook left runs in it', lasting: false };
    }
    this.#mounted = undefined;
    await rm(`${mounted.directory}.work`, { recursive: true, force: true });
    return { kind: 'taken', taken: { ...mounted, binds } };
  }

  async #unmount(context: Context): Promise<boolean> {
    for (let tries = 0; tries < BUSY_TRIES; tries += 1) {
      const done = await runTool(['umount', this.#place.targetRoot], context, {
        announce: false,
      }).then(
        () => true,
        () => false,
      );
      if (done) {
        return true;
      }
      await sleep(BUSY_PAUSE_MS, undefined, { signal: context.signal });
    }
    return false;
  }

  async #restoreBinds(context: Context): Promise<void> {
    const { targetRoot, runPaths } = this.#place;
    const mounted = mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), targetRoot);
    for (const bind of this.#binds) {
      const target = path.join(targetRoot, bind.target);
      if (!mounted.includes(target)) {
        const source = hereAgain(bind.source, runPaths);
        await mount({ source, target, options: bind.readOnly ? 'bind,ro' : 'bind' }, context);
      }
    }
  }
}

/** A path in which placeholders stand for what varies by run, as it is in this run. Pure. */
export function hereAgain(text: string, runPaths: ReadonlyMap<string, string>): string {
  return [...runPaths].reduce(
    (result, [real, placeholder]) => result.replaceAll(placeholder, real),
    text,
  );
}

/** Whether all that a layer wants mounted is there. */
export async function bindsExist(
  binds: readonly BindRecord[],
  runPaths: ReadonlyMap<string, string>,
): Promise<boolean> {
  const found = await Promise.all(binds.map(({ source }) => exists(hereAgain(source, runPaths))));
  return found.every(Boolean);
}

/** Of one directory, without the overlay's own. Only tar can name, and copy, them all. */
const COPY_EXTENDED = `
set -- "$1" "$2" --no-recursion --xattrs '--xattrs-include=*' '--xattrs-exclude=*.overlay.*'
from=$1 to=$2
shift 2
tar -C "$from" "$@" -cf - . | tar -C "$to" "$@" -xf -
`;

/** The root directory of an overlay is its upper's. */
async function copyRootAttributes(from: string, to: string, context: Context): Promise<void> {
  const { mode, uid, gid, atime, mtime } = await lstat(from);
  await runTool(['sh', '-c', COPY_EXTENDED, 'sh', from, to], context, { announce: false });
  await chown(to, uid, gid);
  await chmod(to, mode & 0o7777);
  await utimes(to, atime, mtime);
}
