/**
 * Kahn's topological order over named nodes. Ties go to whoever was inserted first, so that one
 * configuration always has one order. Compat. Source: dib-contract, "Tree to graph".
 */
import type { Place } from '../events/failure.ts';
import type { Problems } from '../plan/problems.ts';

export interface Edge {
  readonly from: string;
  readonly to: string;
  /** Of the node that asked for the edge. */
  readonly at: Place;
}

interface Named {
  readonly name: string;
  readonly at: Place;
}

/**
 * The names of `nodes`, each after everything it lies on. Duplicate names, edges from nowhere and
 * cycles become problems; the order is then not to be used.
 */
export function sortGraph(
  nodes: readonly Named[],
  edges: readonly Edge[],
  problems: Problems,
): string[] {
  const waitingFor = new Map<string, number>();
  for (const { name, at } of nodes) {
    if (waitingFor.has(name)) {
      problems.add(`Duplicate node name: "${name}"`, at);
    }
    waitingFor.set(name, 0);
  }
  const usable = edges.filter(({ from, to, at }) => {
    const known = waitingFor.has(from);
    if (!known) {
      problems.add(
        `Edge not defined: "${from}" -> "${to}"`,
        at,
        `Nothing is called "${from}": see the key "base" of "${to}"`,
      );
    }
    return known;
  });
  for (const { to } of usable) {
    waitingFor.set(to, (waitingFor.get(to) ?? 0) + 1);
  }
  const order = walk(waitingFor, usable);
  const stuck = nodes.filter(({ name }) => !order.includes(name));
  const [first] = stuck;
  // Of two nodes with one name nobody knows which one others mean.
  if (first !== undefined && waitingFor.size === nodes.length) {
    const names = stuck.map(({ name }) => `"${name}"`).join(', ');
    problems.add(`The nodes lie on each other in a cycle: ${names}`, first.at);
  }
  return order;
}

function walk(waitingFor: Map<string, number>, edges: readonly Edge[]): string[] {
  const order = [...waitingFor].filter(([, count]) => count === 0).map(([name]) => name);
  // The list grows while it is walked: it is the queue as well as the result.
  for (const name of order) {
    for (const { to } of edges.filter(({ from }) => from === name)) {
      const left = (waitingFor.get(to) ?? 0) - 1;
      waitingFor.set(to, left);
      if (left === 0) {
        order.push(to);
      }
    }
  }
  return order;
}
