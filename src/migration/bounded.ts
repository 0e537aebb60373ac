/** Maps items with so many calls at one time; results are in the order of the items. Rejects with the first error. */
export async function mapBounded<T, R>(
  items: readonly T[],
  atOneTime: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) {
      results.set(index, await work(item));
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOneTime, items.length) }, worker));
  return items.flatMap((_, index) => (results.has(index) ? [results.get(index) as R] : []));
}
