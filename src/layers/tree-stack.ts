/**
 * The target root as a stack of layers with a fresh upper on top, which becomes the next layer.
 *
 *     unmounted ──begin──▶ mounted ──take──▶ unmounted, one layer more to come
 *                             │ └──take, and on──▶ mounted on top of that layer
 *                             │ busy, or somebody else's mount in it
 *                             └──────────▶ mounted: what comes next goes into the same upper
 *
 * Nothing is mounted until something has to run: a build whose layers all fit mounts nothing. An upper lies
 * in memory where there is room, else in the store's file system. The lowest layer in memory needs no overlay:
 * its directory is the tree itself, which programs that make files are served faster by.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import {
  exists,
  type Mount,
  mountAll,
  mountsBelow,
  topMountsBelow,
  unmountBelow,
} from '../sandbox/mounts.ts';
import { overlayMount } from '../sandbox/overlay.ts';
import { runTool } from '../sandbox/process.ts';
import { withOtherMounts } from '../sandbox/stragglers.ts';
import { HOOKS_VIEW, type HookMounts, hookMounts } from './binds.ts';
import { type LinkedOverlay, linkAllNames } from './hard-links.ts';
import { firstImmutable } from './immutable.ts';
import { nameLower } from './lower-names.ts';
import { overlaysWork } from './overlay-probe.ts';
import type { BindRecord } from './record.ts';
import { changeTree, type NewTree } from './tree-mounts.ts';

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

/** How the work goes on when an upper has been taken: with a fresh one on top of it. */
export interface OnTop {
  /** That lie below, lowest first, without the one that is taken. Absolute. */
  readonly trees: readonly string[];
  /** What is mounted in the tree and has to be there again. */
  readonly mounts: readonly Mount[];
}

interface Mounted {
  readonly directory: string;
  readonly inMemory: boolean;
  /** The upper by itself, without an overlay. */
  readonly plain: boolean;
}

/** How often, and how long in all, we wait for what a hook left running to end by itself. */
const BUSY_TRIES = 10;
const BUSY_PAUSE_MS = 100;

export class TreeStack {
  readonly #place: StackPlace;
  #number = 0;
  #mounted: Mounted | undefined;
  #binds: readonly BindRecord[] = [];
  #mayBeLabelled = false;

  constructor(place: StackPlace) {
    this.#place = place;
  }

  get mounted(): boolean {
    return this.#mounted !== undefined;
  }

  /** Where changes go, while the tree is mounted. */
  get upper(): string | undefined {
    return this.#mounted === undefined ? undefined : treeOf(this.#mounted.directory);
  }

  /** Whether the kernel lets us do this with an upper in the store's file system, or in memory. */
  async probe(where: 'store' | 'memory', context: Context): Promise<boolean> {
    const { build, memory } = this.#place;
    const base = where === 'store' ? build : memory;
    if (base === undefined) {
      return false;
    }
    return overlaysWork(path.join(base, 'probe'), context);
  }

  /** From the next tree on its files may be labelled for SELinux, where the tree has it. */
  expectLabels(): void {
    this.#mayBeLabelled = true;
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
    const { mounted, entering } = this.#fresh(trees, where);
    const view = this.#view;
    await changeTree({ to: entering, view }, context).catch(async (error: unknown) => {
      // The tree may be mounted, and a hook's mount in it has failed.
      await this.#unmountAll(context).catch(() => {});
      throw error;
    });
    this.#mounted = mounted;
  }

  /** A fresh upper, and how it is mounted on top of trees. */
  #fresh(
    trees: readonly string[],
    where: 'store' | 'memory',
  ): { readonly mounted: Mounted; readonly entering: NewTree } {
    const { build, memory, targetRoot } = this.#place;
    const inMemory = where === 'memory' && memory !== undefined;
    this.#number += 1;
    const directory = path.join(inMemory ? memory : build, String(this.#number));
    const upper = path.join(directory, 'tree');
    const work = workOf(directory);
    // Not in the store: it may be full, which ends the keeping, but not the build.
    const own = inMemory ? memory : build;
    const empty = path.join(own, 'empty');
    for (const each of [upper, work, empty]) {
      mkdirSync(each, { recursive: true, mode: 0o755 });
    }
    const base = path.join(own, 'lower');
    const lower = nameLower(base, trees.length === 0 ? [empty] : trees);
    const shortened = (each: string): string =>
      each.startsWith(`${own}/`) ? path.relative(base, each) : each;
    const plain = inMemory && trees.length === 0;
    const tree: Mount = plain
      ? this.#plainMount(upper)
      : overlayMount({
          base,
          lower,
          upper: shortened(upper),
          work: shortened(work),
          target: targetRoot,
          oneDevice: this.#mayBeLabelled && trees.some(hasSelinux),
        });
    return {
      mounted: { directory, inMemory, plain },
      entering: {
        base,
        upper: { directory: upper, from: trees.at(-1) },
        mounts: [tree, ...this.#bindMounts()],
        hint: `The tree has ${trees.length} layers. To build without layers: --no-cache`,
      },
    };
  }

  /** Unmounts a tree that nothing has run in, if one is mounted. */
  async drop(context: Context): Promise<void> {
    const mounted = this.#mounted;
    if (mounted === undefined) {
      return;
    }
    // With all that is mounted in it; whoever looks at it may go on.
    await runTool(['umount', '--lazy', this.#place.targetRoot], context, { announce: false });
    this.#mounted = undefined;
    remove(mounted.directory);
  }

  /** What hooks have mounted in the tree now. */
  async hookMounts(): Promise<HookMounts> {
    const { targetRoot, runPaths, passing } = this.#place;
    const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
    return hookMounts(mountinfo, { targetRoot, runPaths, passing });
  }

  /**
   * Ends the use of the upper, if nobody is in it any more. `onTop`: a fresh one is mounted at once, if that can be done
   * without looking at the old one: see `mounted`.
   */
  async take(context: Context, onTop?: OnTop): Promise<TakeOutcome> {
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
    // Another one could not be looked into, or gets another name.
    const wanted = mounted.inMemory && !mounted.plain ? onTop : undefined;
    const overlay = this.#overlay(mounted);
    const alone = await this.#isAlone(context);
    const immutable = firstImmutable(overlay);
    if (immutable !== undefined) {
      const why = `a layer would not keep that a hook has made ${immutable} immutable`;
      return { kind: 'kept', why, lasting: true };
    }
    const parted = alone && !mounted.plain ? await linkAllNames(overlay, context) : undefined;
    if (parted !== undefined) {
      return { kind: 'kept', why: parted, lasting: true };
    }
    if (!alone || !(await this.#leave(mounted, wanted, context))) {
      await this.#restoreBinds(context);
      return { kind: 'kept', why: 'a process that a hook left runs in it', lasting: false };
    }
    // Only now that nobody makes and removes files in it.
    const upper = treeOf(mounted.directory);
    if (mounted.plain && (await hasWhiteout(upper, context))) {
      await mountAll([this.#plainMount(upper), ...this.#bindMounts()], context);
      this.#mounted = mounted;
      const why = 'a device 0:0 is in it, which in a layer stands for a file that was removed';
      return { kind: 'kept', why, lasting: true };
    }
    rmSync(workOf(mounted.directory), { recursive: true, force: true });
    const { directory, inMemory } = mounted;
    return { kind: 'taken', taken: { directory, inMemory, binds } };
  }

  /**
   * Unmounts the tree and all in it, and mounts what comes on top, if it has not taken long; false when somebody is in
   * it.
   */
  async #leave(mounted: Mounted, onTop: OnTop | undefined, context: Context): Promise<boolean> {
    const { targetRoot } = this.#place;
    const view = this.#view;
    const inside = topMountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), targetRoot);
    const from = { root: targetRoot, inside };
    const next =
      onTop === undefined
        ? undefined
        : this.#fresh([...onTop.trees, treeOf(mounted.directory)], 'memory');
    const to =
      next === undefined
        ? undefined
        : { ...next.entering, mounts: [...next.entering.mounts, ...(onTop?.mounts ?? [])] };
    const change = { from, view, ...(to === undefined ? {} : { to }) };
    try {
      if (await changeTree(change, context)) {
        this.#mounted = next?.mounted;
        return true;
      }
    } catch (error) {
      context.signal.throwIfAborted();
      if (next === undefined) {
        throw error;
      }
      // The upper is complete, and to be kept. `begin` tells what is wrong with the mount, if it still is.
      await this.#unmountAll(context);
      remove(next.mounted.directory);
      this.#mounted = undefined;
      return true;
    }
    if (next !== undefined) {
      remove(next.mounted.directory);
    }
    await unmountBelow(targetRoot, context);
    await rmdir(view).catch(() => {});
    const left = await soon(() => this.#unmount(context), context);
    this.#mounted = left ? undefined : mounted;
    return left;
  }

  #overlay({ directory }: Mounted): LinkedOverlay {
    return { root: this.#place.targetRoot, upper: treeOf(directory), work: workOf(directory) };
  }

  /** Where hooks in the target see the hook tree. */
  get #view(): string {
    return path.join(this.#place.targetRoot, HOOKS_VIEW);
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

function hasSelinux(tree: string): boolean {
  return existsSync(path.join(tree, 'etc/selinux'));
}

/** The upper in a directory that becomes a layer. */
function treeOf(directory: string): string {
  return path.join(directory, 'tree');
}

/** What the overlay needs beside it. */
function workOf(directory: string): string {
  return `${directory}.work`;
}

/** Removes an upper that nobody has used. */
function remove(directory: string): void {
  for (const each of [directory, workOf(directory)]) {
    rmSync(each, { recursive: true, force: true });
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
