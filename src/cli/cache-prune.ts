/** `dibkit cache prune`: removes layers by age, by size, or by name. */
import { renderSize } from '../events/duration.ts';
import { Failed, usageError } from '../events/failure.ts';
import { type Pruned, pruneStore } from '../layers/housekeeping.ts';
import { absent, keysOf, oneKey, openStore, storeContext } from './cache-store.ts';
import { ownEnvironment } from './host-facts.ts';

export interface PruneOptions {
  readonly imageCache?: string;
  readonly maxSize?: string;
  readonly olderThan?: string;
  readonly all?: boolean;
}

const GIB = 2 ** 30;
const DAY_MS = 24 * 3_600_000;

/** @throws Failed `usage`, `host`, `lock-busy` for keys that a running build uses */
export async function prune(keys: readonly string[], given: PruneOptions): Promise<number> {
  assertOneWish(keys, given);
  const rule = pruneRule(given);
  const opened = await openStore(given.imageCache);
  if (!opened.isThere && keys.length === 0) {
    process.stdout.write(`Nothing to remove${absent(opened)}\n`);
    return 0;
  }
  const { store } = opened;
  const known = await keysOf(store);
  const named = new Set(keys.map((each) => oneKey(each, known, store)));
  const wish = keys.length === 0 ? rule : { budgetBytes: Number.POSITIVE_INFINITY, named };
  const pruned = await pruneStore(store, wish, storeContext());
  process.stdout.write(`${describePruned(pruned)}\n`);
  const gone = new Set(pruned.removed.map(({ key }) => key));
  const kept = [...named].filter((key) => !gone.has(key));
  if (kept.length > 0) {
    throw new Failed({
      kind: 'lock-busy',
      message: `Cannot remove ${kept.join(', ')}: a running build uses that, or what stands on it`,
      path: store.directory,
      hint: 'Try again when it has ended',
    });
  }
  return 0;
}

/** What is said twice is a slip, and what is removed is gone. @throws Failed `usage` */
function assertOneWish(keys: readonly string[], { all, maxSize, olderThan }: PruneOptions): void {
  const wishes = [
    ...(all === true ? ['--all'] : []),
    ...(keys.length > 0 ? [`'${keys.join(' ')}'`] : []),
    ...(maxSize === undefined ? [] : ['--max-size']),
    ...(olderThan === undefined ? [] : ['--older-than']),
  ];
  if (wishes.length > 1 && (all === true || keys.length > 0)) {
    throw usageError(`Cannot remove by ${wishes.join(' and ')} at once`, 'Leave out one of them');
  }
}

/** @throws Failed `usage` */
function pruneRule({ all, maxSize, olderThan }: PruneOptions): {
  readonly budgetBytes: number;
  readonly usedBeforeMs?: number;
} {
  if (all === true) {
    return { budgetBytes: -1 };
  }
  const budget =
    maxSize === undefined
      ? amount(ownEnvironment().DIB_CACHE_SIZE || '20', 'DIB_CACHE_SIZE')
      : amount(maxSize, '--max-size');
  const age = olderThan === undefined ? undefined : amount(olderThan, '--older-than') * DAY_MS;
  return {
    budgetBytes: budget * GIB,
    ...(age === undefined ? {} : { usedBeforeMs: Date.now() - age }),
  };
}

function amount(text: string, name: string): number {
  // To JavaScript a blank is 0, which would remove everything.
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw usageError(`${name} must be a number, zero or above: '${text}'`);
  }
  return value;
}

function describePruned({ removed, dead, leftBytes }: Pruned): string {
  const bytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const builds = dead.length === 0 ? '' : `, and what ${dead.length} killed builds left`;
  const what = removed.length === 1 ? '1 entry' : `${removed.length} entries`;
  return `Removed ${what} (${renderSize(bytes)})${builds}; ${renderSize(leftBytes)} are left`;
}
