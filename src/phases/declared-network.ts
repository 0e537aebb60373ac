/**
 * Whose connections somebody has spoken for. Pure.
 *
 * What `fingerprint.d` of an element says of a mirror holds for the element's hooks, and for those of the elements
 * that it needs: they are its tools. What is said of the operating system's mirror holds for all that the
 * operating system needs: one of its elements speaks, another one bootstraps. It does not hold for an element
 * that only needs the one that spoke, such as a user's beside the distribution's.
 */
import type { Element } from '../elements/element.ts';
import { elementGraph } from '../elements/element-graph.ts';

type Node = Pick<Element, 'name' | 'deps' | 'provides'>;

/** The names of the elements whose connections are declared where `declaring` have spoken. */
export function spokenFor(
  elements: readonly Node[],
  declaring: ReadonlySet<string>,
): ReadonlySet<string> {
  const needs = new Map<string, string[]>();
  for (const { from, to } of elementGraph([], elements).edges) {
    needs.set(from, [...(needs.get(from) ?? []), to]);
  }
  const systems = elements
    .filter(({ provides }) => provides.includes('operating-system'))
    .filter(({ name }) => [...withNeeds([name], needs)].some((each) => declaring.has(each)));
  return withNeeds([...declaring, ...systems.map(({ name }) => name)], needs);
}

function withNeeds(
  names: readonly string[],
  needs: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const all = new Set(names);
  // What is added meanwhile is come to as well.
  for (const name of all) {
    for (const needed of needs.get(name) ?? []) {
      all.add(needed);
    }
  }
  return all;
}
