/** Which layers to remove. Pure. */

export interface Removable {
  readonly key: string;
  /** Of the layer below; empty for the first. */
  readonly parent: string;
  readonly sizeBytes: number;
  /** Last use, milliseconds since the epoch. */
  readonly usedMs: number;
}

export interface PruneRule {
  readonly inUse: ReadonlySet<string>;
  /** What may stay. */
  readonly budgetBytes: number;
  /** What was last used before goes in any case. */
  readonly usedBeforeMs?: number;
}

/**
 * Keys to remove, in an order that never leaves a layer without the one below it: the least recently
 * used first, those that nothing stands on. What stands on nothing goes at once.
 */
export function chooseVictims(entries: readonly Removable[], rule: PruneRule): readonly string[] {
  const left = new Map(entries.map((entry) => [entry.key, entry]));
  const victims: string[] = [];
  const remove = (key: string): void => {
    left.delete(key);
    victims.push(key);
  };
  for (let lost = orphans(left, rule); lost.length > 0; lost = orphans(left, rule)) {
    lost.forEach(remove);
  }
  let total = entries.reduce((sum, { key, sizeBytes }) => sum + (left.has(key) ? sizeBytes : 0), 0);
  for (;;) {
    const next = oldestLeaf(left, rule);
    const isOld = next !== undefined && next.usedMs < (rule.usedBeforeMs ?? 0);
    if (next === undefined || (total <= rule.budgetBytes && !isOld)) {
      return victims;
    }
    remove(next.key);
    total -= next.sizeBytes;
  }
}

type Left = ReadonlyMap<string, Removable>;

function orphans(left: Left, { inUse }: PruneRule): readonly string[] {
  return [...left.values()]
    .filter(({ key, parent }) => parent !== '' && !left.has(parent) && !inUse.has(key))
    .map(({ key }) => key);
}

function oldestLeaf(left: Left, { inUse }: PruneRule): Removable | undefined {
  const parents = new Set([...left.values()].map(({ parent }) => parent));
  return [...left.values()]
    .filter(({ key }) => !parents.has(key) && !inUse.has(key))
    .sort((a, b) => a.usedMs - b.usedMs || (a.key < b.key ? -1 : 1))[0];
}
