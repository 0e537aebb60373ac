/**
 * Builds that work in a store: each has a directory there with a lock that its process holds. What a killed
 * one left is known by its lock being free, and removed by whoever comes next.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { takeFlock } from './flock.ts';
import { keysIn, type LayerStore } from './store.ts';

/** Says that the build with this directory is alive, until disposed of. */
export async function announceBuild(directory: string, context: Context): Promise<AsyncDisposable> {
  const lock = await takeFlock(
    path.join(directory, 'lock'),
    { mode: 'exclusive', wait: true },
    context,
  );
  if (lock === undefined) {
    throw new Error('flock gave up without a reason');
  }
  return lock;
}

export interface Builds {
  /** Keys that builds which are alive use. */
  readonly inUse: ReadonlySet<string>;
  /** Directories of builds that are dead. */
  readonly dead: readonly string[];
}

/** Looks at every build in the store. Call it under the store's lock, so that none chooses meanwhile. */
export async function lookAtBuilds(store: LayerStore, context: Context): Promise<Builds> {
  const inUse = new Set<string>();
  const dead: string[] = [];
  for (const name of await readdir(store.builds).catch(() => [])) {
    const directory = path.join(store.builds, name);
    const free = await takeFlock(
      path.join(directory, 'lock'),
      { mode: 'exclusive', wait: false },
      context,
    ).catch(() => undefined);
    await free?.[Symbol.asyncDispose]();
    if (free !== undefined) {
      dead.push(directory);
      continue;
    }
    for (const key of keysIn(directory)) {
      inUse.add(key);
    }
  }
  return { inUse, dead };
}

/** Removes the locks of layers that nobody makes. Under the store's lock. */
export async function removeFreeLocks(store: LayerStore, context: Context): Promise<void> {
  const locks = path.join(store.directory, '.locks');
  for (const name of await readdir(locks).catch(() => [])) {
    const file = path.join(locks, name);
    const free = await takeFlock(file, { mode: 'exclusive', wait: false }, context);
    if (free !== undefined) {
      await rm(file, { force: true });
      await free[Symbol.asyncDispose]();
    }
  }
}
