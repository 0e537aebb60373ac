/** Who needs whom among the elements of an image, and the picture of it. Pure. */
import { usageError } from '../events/failure.ts';
import { closestNames } from '../plan/closest.ts';

export const GRAPH_FORMATS = ['text', 'dot', 'mermaid'] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

interface Node {
  readonly name: string;
  readonly deps: readonly string[];
  readonly provides: readonly string[];
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  /** The name that `from` asks for, where `to` is who provides it. */
  readonly as?: string;
}

export interface ElementGraph {
  /** What was asked for, each as the element that it became. */
  readonly roots: readonly string[];
  /** Dependencies first. */
  readonly names: readonly string[];
  readonly edges: readonly Edge[];
}

/** The graph of resolved elements; `requested` are the names that they were resolved from. */
export function elementGraph(
  requested: readonly string[],
  elements: readonly Node[],
): ElementGraph {
  const names = new Set(elements.map(({ name }) => name));
  const providers = new Map(
    elements.flatMap(({ name, provides }) => provides.map((provided) => [provided, name] as const)),
  );
  // A name that somebody provides stands for that element.
  const become = (name: string): string => (names.has(name) ? name : (providers.get(name) ?? name));
  return {
    roots: [...new Set(requested.map(become))],
    names: [...names],
    edges: elements.flatMap(({ name, deps }) =>
      deps
        .map((dep) => ({ from: name, to: become(dep), ...(names.has(dep) ? {} : { as: dep }) }))
        .filter(({ from, to }) => from !== to && names.has(to)),
    ),
  };
}

/** For a person: elements that need each other, and which of them comes first. `elements`: resolved. */
export function describeLoops(elements: readonly Node[]): readonly string[] {
  const graph = elementGraph([], elements);
  const place = (name: string): number => graph.names.indexOf(name);
  return graph.edges
    .filter(({ from, to, as }) => as === undefined && place(to) > place(from))
    .map(({ from, to }) => {
      const loop = [from, ...wayTo({ ...graph, roots: [to] }, from)];
      return `Elements need each other: ${loop.join(' -> ')}. '${from}' comes first`;
    });
}

/** The graph as lines. */
export function renderGraph(graph: ElementGraph, format: GraphFormat): readonly string[] {
  switch (format) {
    case 'text':
      return graph.roots.flatMap((root) => textTree(graph, root));
    case 'dot':
      return dotLines(graph);
    case 'mermaid':
      return mermaidLines(graph);
  }
}

/** A tree; what has been shown with all below it is only named again. */
function textTree(graph: ElementGraph, root: string): readonly string[] {
  const shown = new Set<string>();
  const below = (name: string, indent: string): readonly string[] => {
    const edges = graph.edges.filter(({ from }) => from === name);
    if (edges.length > 0 && shown.has(name)) {
      return [];
    }
    shown.add(name);
    return edges.flatMap(({ to, as }, index) => {
      const last = index === edges.length - 1;
      const again = shown.has(to) && graph.edges.some(({ from }) => from === to);
      const line = `${indent}${last ? '└─ ' : '├─ '}${to}${labelled(as)}${again ? ' (above)' : ''}`;
      return [line, ...below(to, `${indent}${last ? '   ' : '│  '}`)];
    });
  };
  return [root, ...below(root, '')];
}

function labelled(as: string | undefined): string {
  return as === undefined ? '' : ` as ${as}`;
}

/** Source: graphviz.org/doc/info/lang.html */
function dotLines({ names, roots, edges }: ElementGraph): readonly string[] {
  const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
  return [
    'digraph elements {',
    ...names.map((name) => `  ${quoted(name)}${roots.includes(name) ? ' [style=bold]' : ''};`),
    ...edges.map(
      ({ from, to, as }) =>
        `  ${quoted(from)} -> ${quoted(to)}${as === undefined ? '' : ` [label=${quoted(as)}]`};`,
    ),
    '}',
  ];
}

/** Source: mermaid.js.org/syntax/flowchart.html; ids of our own, since names may be keywords. */
function mermaidLines({ names, roots, edges }: ElementGraph): readonly string[] {
  const id = (name: string): string => `e${names.indexOf(name)}`;
  const quoted = (text: string): string => `"${text.replaceAll('"', '#quot;')}"`;
  return [
    'flowchart TD',
    ...names.map((name) =>
      roots.includes(name) ? `  ${id(name)}([${quoted(name)}])` : `  ${id(name)}[${quoted(name)}]`,
    ),
    ...edges.map(
      ({ from, to, as }) =>
        `  ${id(from)} -->${as === undefined ? '' : `|${quoted(as)}|`} ${id(to)}`,
    ),
  ];
}

/**
 * Who pulls an element in: for each element that asks for it, the shortest way from what was named.
 *
 * @throws Failed `usage` when it is not among the elements
 */
export function renderWhy(graph: ElementGraph, wanted: string): readonly string[] {
  const alias = graph.edges.find(({ as }) => as === wanted);
  const name = graph.names.includes(wanted) ? wanted : (alias?.to ?? wanted);
  if (!graph.names.includes(name)) {
    const near = closestNames(wanted, graph.names);
    throw usageError(
      `The element '${wanted}' is not pulled in by these`,
      near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `They are: ${graph.names.join(' ')}`,
    );
  }
  const askers = graph.edges.filter(({ to }) => to === name);
  return [
    ...(name === wanted ? [] : [`${wanted} is provided by ${name}`]),
    ...(graph.roots.includes(name) ? [`${name} was asked for by name`] : []),
    ...askers.map(({ from, as }) => [...wayTo(graph, from), `${name}${labelled(as)}`].join(' -> ')),
  ];
}

/** The shortest way from a root, breadth first; roots come in their order. */
function wayTo({ roots, edges }: ElementGraph, target: string): readonly string[] {
  const queue = roots.map((root) => [root]);
  const seen = new Set(roots);
  for (const way of queue) {
    const end = way.at(-1);
    if (end === target) {
      return way;
    }
    for (const { to } of edges.filter(({ from }) => from === end)) {
      if (!seen.has(to)) {
        seen.add(to);
        queue.push([...way, to]);
      }
    }
  }
  return [target];
}
