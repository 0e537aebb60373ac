/** Which layers to remove. Pure. */

export interface Removable {
  readonly key: string;
  /** Of the layer below; empty for the first. */
  readonly parent: string;
  readonly sizeBytes: number;
  /** Last use, milliseconds since the epoch. */
  readonly usedMs: number;
  /** No build will choose it any more: see `passedOver`. */
  readonly isPassedOver: boolean;
}

/** Of a layer. */
export interface Made {
  readonly key: string;
  readonly parent: string;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly isTorn: boolean;
  /** Equal for layers that the same builds can use. */
  readonly owners: string;
}

/**
 * Keys of layers that no build will choose: torn ones, those beside which there is a newer one of the same
 * inputs, made because they were too old or a mirror could not be asked, and what stands on such a layer.
 */
export function passedOver(layers: readonly Made[]): ReadonlySet<string> {
  const chosen = new Map<string, Made>();
  for (const layer of layers.filter(({ isTorn }) => !isTorn)) {
    const inputs = `${layer.key.replace(/\.\d+$/, '')} ${layer.owners}`;
    const other = chosen.get(inputs);
    if (other === undefined || layer.createdMs > other.createdMs) {
      chosen.set(inputs, layer);
    }
  }
  const kept = new Set([...chosen.values()].map(({ key }) => key));
  const all = new Map(layers.map((layer) => [layer.key, layer]));
  return new Set(layers.filter(isLost).map(({ key }) => key));

  function isLost({ key, parent }: Made): boolean {
    const below = all.get(parent);
    return !kept.has(key) || (below !== undefined && isLost(below));
  }
}

/** The same, where what is named and what stands on it is passed over. */
export function standingOn<T extends Removable>(
  named: ReadonlySet<string>,
  entries: readonly T[],
): readonly T[] {
  const all = new Map(entries.map((entry) => [entry.key, entry]));
  const stands = (key: string): boolean =>
    named.has(key) || (all.has(key) && stands(all.get(key)?.parent ?? ''));
  return named.size === 0
    ? entries
    : entries.map((entry) => (stands(entry.key) ? { ...entry, isPassedOver: true } : entry));
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
 * used first, those that nothing stands on. What stands on nothing goes at once, and so does what is passed
 * over.
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
    const lost = oldestLeaf(left, rule, ({ isPassedOver }) => isPassedOver);
    const next = lost ?? oldestLeaf(left, rule);
    const isOld = next !== undefined && next.usedMs < (rule.usedBeforeMs ?? 0);
    if (next === undefined || (total <= rule.budgetBytes && !isOld && lost === undefined)) {
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

function oldestLeaf(
  left: Left,
  { inUse }: PruneRule,
  test: (entry: Removable) => boolean = () => true,
): Removable | undefined {
  const parents = new Set([...left.values()].map(({ parent }) => parent));
  return [...left.values()]
    .filter((entry) => !parents.has(entry.key) && !inUse.has(entry.key) && test(entry))
    .sort((a, b) => a.usedMs - b.usedMs || (a.key < b.key ? -1 : 1))[0];
}
