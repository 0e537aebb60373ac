/** Puts elements in the order of their dependencies, the same on every run. */

/** What an element waits for. Both lists name elements of the same graph. */
export interface Needs {
  /** Elements that it depends on by their own name. */
  readonly direct: readonly string[];
  /** Elements that provide a name that it depends on. A loop through these is no error. */
  readonly provided: readonly string[];
}

export interface Ordered {
  /** Every name of the graph once; empty when there are loops. */
  readonly names: readonly string[];
  /** Loops of direct dependencies; the first name of each is its last again. */
  readonly loops: readonly (readonly string[])[];
}

/**
 * Dependencies come before what needs them, otherwise the order of the graph's keys holds.
 */
export function orderByNeeds(graph: ReadonlyMap<string, Needs>): Ordered {
  const { names, loops } = depthFirst(graph);
  return loops.length > 0 ? { names: [], loops } : { names: respectProviders(graph, names), loops };
}

function depthFirst(graph: ReadonlyMap<string, Needs>): Ordered {
  const done = new Set<string>();
  const loops: string[][] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start >= 0) {
      loops.push([...trail.slice(start), name]);
      return;
    }
    if (done.has(name)) {
      return;
    }
    for (const need of graph.get(name)?.direct ?? []) {
      visit(need, [...trail, name]);
    }
    done.add(name);
  };
  for (const name of graph.keys()) {
    visit(name, []);
  }
  return { names: [...done], loops };
}

/**
 * Takes, again and again, the first name whose needs are all met; where providers wait for each
 * other, the first whose direct needs are. Without direct loops there always is one.
 */
function respectProviders(
  graph: ReadonlyMap<string, Needs>,
  preferred: readonly string[],
): readonly string[] {
  const left = new Set(preferred);
  const isMet = (needs: readonly string[]): boolean => !needs.some((need) => left.has(need));
  const next = (): string | undefined => {
    const free = [...left].filter((name) => isMet(graph.get(name)?.direct ?? []));
    return free.find((name) => isMet(graph.get(name)?.provided ?? [])) ?? free[0];
  };
  const ordered: string[] = [];
  for (let name = next(); name !== undefined; name = next()) {
    ordered.push(name);
    left.delete(name);
  }
  return ordered;
}
