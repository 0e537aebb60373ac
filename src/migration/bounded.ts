/**
 * Maps items with so many calls at one time; results are in the order of the items. Rejects with the first
 * error, once all calls that were begun have ended; after an error none is begun.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  atOneTime: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const errors: unknown[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (errors.length > 0) {
        return;
      }
      try {
        results.set(index, await work(item));
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOneTime, items.length) }, worker));
  if (errors.length > 0) {
    throw errors[0];
  }
  return items.flatMap((_, index) => (results.has(index) ? [results.get(index) as R] : []));
}
