/**
 * From the elements that somebody named to all elements of the image.
 *
 * Breadth-first over `element-deps`; a name that an element provides stands for that element.
 * Source: element_dependencies.py, `_expand_element_dependencies`. Ours differs where that one
 * depends on luck: the order is stable, a provider may be met later than the name that it provides,
 * and a providing element may be named twice. Elements may need each other, as there: those of
 * tripleo-image-elements do.
 */
import { closestNames } from '../plan/closest.ts';
import type { Element, ElementLookup } from './element.ts';
import { NOT_BUILT_IN } from './not-built-in.ts';
import { type Needs, orderByNeeds } from './order.ts';
import { type Problem, problemsError } from './problems.ts';

export interface ResolvedElement extends Element {
  /** Who asked for it: the names from the command line down to it; empty when it was named there. */
  readonly askedBy: readonly string[];
}

interface Walk {
  readonly requested: readonly string[];
  readonly lookup: ElementLookup;
  /** By the name that it was first met under, in the order in which they were met. */
  readonly met: Map<string, ResolvedElement>;
  /** From an element's path to that name. */
  readonly nameOf: Map<string, string>;
  /** From a provided name to the elements that provide it. */
  readonly providers: Map<string, readonly string[]>;
  /** Names without an element, with who asked. */
  readonly unknown: Map<string, readonly string[]>;
}

/**
 * All elements that `requested` stands for, dependencies first, otherwise in the order of the
 * request; each once.
 *
 * @throws Failed `config` with every problem that there is.
 */
export function resolveElements(
  requested: readonly string[],
  lookup: ElementLookup,
): readonly ResolvedElement[] {
  const walk = walkDependencies(requested, lookup);
  const names = orderByNeeds(needsOf(walk));
  const unknown = unknownProblems(walk);
  const problems = [
    ...unknown,
    ...providedTwiceProblems(walk),
    ...namedButProvidedProblems(walk),
    // An unknown element may be the one with the operating system.
    ...(unknown.length > 0 ? [] : operatingSystemProblems(walk)),
  ];
  if (problems.length > 0) {
    throw problemsError('Cannot use these elements', problems);
  }
  return names.map((name) => walk.met.get(name)).filter((element) => element !== undefined);
}

function walkDependencies(requested: readonly string[], lookup: ElementLookup): Walk {
  const walk: Walk = {
    requested,
    lookup,
    met: new Map(),
    nameOf: new Map(),
    providers: new Map(),
    unknown: new Map(),
  };
  const queue = requested.map((name) => ({ name, askedBy: [] as readonly string[] }));
  for (const { name, askedBy } of queue) {
    const element = meet(walk, name, askedBy);
    queue.push(...(element?.deps ?? []).map((dep) => ({ name: dep, askedBy: [...askedBy, name] })));
  }
  return walk;
}

/** Notes an element; undefined when there is nothing to follow: known already, provided, unknown. */
function meet(walk: Walk, name: string, askedBy: readonly string[]): Element | undefined {
  const element = walk.lookup.elements.get(name);
  if (walk.providers.has(name) || (element !== undefined && walk.nameOf.has(element.path))) {
    return undefined;
  }
  if (element === undefined) {
    walk.unknown.set(name, walk.unknown.get(name) ?? askedBy);
    return undefined;
  }
  walk.nameOf.set(element.path, name);
  walk.met.set(name, { ...element, askedBy });
  for (const provided of new Set(element.provides)) {
    // Providing oneself says nothing.
    if (provided !== name) {
      walk.providers.set(provided, [...(walk.providers.get(provided) ?? []), name]);
    }
  }
  return element;
}

/** The graph to order: named elements first, without those that another one provides. */
function needsOf(walk: Walk): ReadonlyMap<string, Needs> {
  const named = walk.requested.map((name) => canonicalName(walk, name));
  const names = new Set([...named, ...walk.met.keys()]);
  const graph = new Map<string, Needs>();
  for (const name of names) {
    const element = walk.met.get(name);
    if (element !== undefined && !walk.providers.has(name)) {
      graph.set(name, {
        direct: element.deps
          .filter((dep) => !walk.providers.has(dep))
          .map((dep) => canonicalName(walk, dep))
          // Needing oneself says nothing.
          .filter((dep) => dep !== name),
        provided: element.deps
          .flatMap((dep) => walk.providers.get(dep) ?? [])
          .filter((provider) => provider !== name),
      });
    }
  }
  return graph;
}

function canonicalName(walk: Walk, name: string): string {
  const path = walk.lookup.elements.get(name)?.path;
  return (path === undefined ? undefined : walk.nameOf.get(path)) ?? name;
}

function unknownProblems(walk: Walk): readonly Problem[] {
  return [...walk.unknown]
    .filter(([name]) => !walk.providers.has(name))
    .map(([name, askedBy]) => ({
      message: `Cannot find the element '${name}'${askedBy.length > 0 ? `, ${origin(askedBy)}` : ''}`,
      hint: unknownHint(name, walk.lookup),
    }));
}

function unknownHint(name: string, lookup: ElementLookup): string {
  const where = `Elements are looked for in ELEMENTS_PATH: '${lookup.elementsPath.join(':')}'`;
  const providers = providersIn(lookup, name);
  if (providers.length > 0) {
    return `Add one of the elements that provide it: ${providers.join(', ')}. ${where}`;
  }
  if (NOT_BUILT_IN.has(name)) {
    return `It is one of diskimage-builder's own that are not built in. Add the directory 'elements' of its package to the end of ELEMENTS_PATH; see docs/compatibility.md. ${where}`;
  }
  const closest = closestNames(name, lookup.elements.keys());
  return closest.length > 0 ? `Did you mean ${quoteAll(closest, 'or')}? ${where}` : where;
}

function providedTwiceProblems(walk: Walk): readonly Problem[] {
  return [...walk.providers]
    .map(([name, providers]) => ({
      name,
      // Who is replaced is not in the image, so what it provides does not matter.
      providers: providers.filter((provider) => !walk.providers.has(provider)),
    }))
    .filter(({ providers }) => providers.length > 1)
    .map(({ name, providers }) => ({
      message: `Cannot use ${quoteAll(providers, 'and')} together: each provides '${name}'`,
      hint: `Keep one of them: ${providers
        .map((provider) => `'${provider}' is ${origin(walk.met.get(provider)?.askedBy ?? [])}`)
        .join('; ')}`,
    }));
}

function namedButProvidedProblems(walk: Walk): readonly Problem[] {
  return [...new Set(walk.requested)].flatMap((name) => {
    const [provider] = walk.providers.get(name) ?? [];
    if (provider === undefined) {
      return [];
    }
    const leaveOut = name === 'base' ? "Leave 'base' out with -n" : `Leave '${name}' out`;
    const asked = origin(walk.met.get(provider)?.askedBy ?? []);
    return [
      {
        message: `Cannot use '${name}' beside '${provider}', which provides it`,
        hint: `${leaveOut}, or leave out '${provider}', ${asked}`,
      },
    ];
  });
}

function operatingSystemProblems(walk: Walk): readonly Problem[] {
  if (walk.providers.has('operating-system')) {
    return [];
  }
  const known = providersIn(walk.lookup, 'operating-system');
  return [
    {
      message: 'Cannot build an image without an operating system element',
      hint:
        known.length > 0
          ? `Add one of: ${known.join(', ')}`
          : `No element in ELEMENTS_PATH provides 'operating-system': '${walk.lookup.elementsPath.join(':')}'`,
    },
  ];
}

function providersIn(lookup: ElementLookup, name: string): readonly string[] {
  return [...lookup.elements.values()]
    .filter((element) => element.provides.includes(name))
    .map((element) => element.name)
    .sort();
}

/** `needed by a -> b`, from what was named down to who needs it. */
function origin(askedBy: readonly string[]): string {
  return askedBy.length === 0 ? 'asked for itself' : `needed by ${askedBy.join(' -> ')}`;
}

function quoteAll(names: readonly string[], conjunction: 'and' | 'or'): string {
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.at(-1) ?? '';
  return quoted.length < 2 ? last : `${quoted.slice(0, -1).join(', ')} ${conjunction} ${last}`;
}
