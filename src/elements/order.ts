/** Puts elements in the order of their dependencies, the same on every run. */

/** What an element waits for. Both lists name elements of the same graph. */
export interface Needs {
  /** Elements that it depends on by their own name. */
  readonly direct: readonly string[];
  /** Elements that provide a name that it depends on. */
  readonly provided: readonly string[];
}

/**
 * Every name of the graph once. Dependencies come before what needs them, otherwise the order of the graph's keys
 * holds; where names need each other, the one that is met last comes first.
 */
export function orderByNeeds(graph: ReadonlyMap<string, Needs>): readonly string[] {
  return respectProviders(graph, depthFirst(graph));
}

function depthFirst(graph: ReadonlyMap<string, Needs>): readonly string[] {
  const met = new Set<string>();
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (met.has(name)) {
      return;
    }
    met.add(name);
    for (const need of graph.get(name)?.direct ?? []) {
      visit(need);
    }
    ordered.push(name);
  };
  for (const name of graph.keys()) {
    visit(name);
  }
  return ordered;
}

/**
 * Takes, again and again, the first name whose needs are all met; where providers wait for each
 * other, the first whose direct needs are; where these wait for each other, the first.
 */
function respectProviders(
  graph: ReadonlyMap<string, Needs>,
  preferred: readonly string[],
): readonly string[] {
  const left = new Set(preferred);
  const isMet = (needs: readonly string[]): boolean => !needs.some((need) => left.has(need));
  const next = (): string | undefined => {
    const names = [...left];
    const free = names.filter((name) => isMet(graph.get(name)?.direct ?? []));
    return free.find((name) => isMet(graph.get(name)?.provided ?? [])) ?? free[0] ?? names[0];
  };
  const ordered: string[] = [];
  for (let name = next(); name !== undefined; name = next()) {
    ordered.push(name);
    left.delete(name);
  }
  return ordered;
}
