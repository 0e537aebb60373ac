/** Why a phase runs anew, in words. Pure. */
import type { Change } from './match.ts';

/** What became of one phase, or of a part of it. */
export interface Explained {
  readonly phase: string;
  readonly hooks: readonly string[];
  readonly outcome: 'reused' | 'run';
  readonly key?: string;
  readonly reasons: readonly string[];
}

/** One sentence without a final period. */
export function describeChange({ kind, what, how }: Change): string {
  switch (kind) {
    case 'variable':
      return how === 'changed'
        ? `the variable ${what}, or what it names, changed`
        : `the variable ${what} ${is(how)}`;
    case 'hook':
      return `the hook ${what} ${is(how)}`;
    case 'name':
    case 'file':
      return `the file ${what} ${is(how)}`;
    case 'listing':
      return `the files in ${what} ${how === 'changed' ? 'are others, or its mode' : is(how)}`;
    case 'element-file':
      return `the element file ${what} ${is(how)}`;
    case 'external':
      return `${what} ${is(how)}`;
    case 'engine':
      return `the ${what} ${is(how)}`;
    case 'bind':
      return `what its hooks had mounted is gone: ${what}`;
    case 'age':
      return `it took undeclared things from the network ${what} ago, which is longer than DIB_CACHE_MAX_AGE allows`;
  }
}

function is(how: Change['how']): string {
  return { added: 'is new', removed: 'is gone', changed: 'changed' }[how];
}

const MOST_REASONS = 5;

/** What a build knows of itself when there is no layer to use. */
export interface MissSite {
  /** Why it keeps nothing any more. */
  readonly broken: string | undefined;
  /** It has made something anew below. */
  readonly isNew: boolean;
  /** It stops before all hooks of the phase have run: a layer of all would be too much. */
  readonly stops: boolean;
}

/** Why a layer is not used, or that there is none. */
export function missReasons(
  changes: readonly Change[] | undefined,
  { broken, isNew, stops }: MissSite,
): readonly string[] {
  if (broken !== undefined) {
    return [broken];
  }
  if (changes === undefined && isNew) {
    return ['what comes before it is new'];
  }
  return changes === undefined && stops
    ? ['no layer ends before the break point']
    : reasonsOf(changes);
}

/** The reasons of a miss; `undefined` changes: there is no layer to compare with. */
export function reasonsOf(changes: readonly Change[] | undefined): readonly string[] {
  if (changes === undefined) {
    return ['there is no layer of it yet'];
  }
  const more = changes.length - MOST_REASONS;
  return [
    ...changes.slice(0, MOST_REASONS).map(describeChange),
    ...(more > 0 ? [`${more} more`] : []),
  ];
}

/** One line per phase, aligned, reasons below each other. */
export function renderExplained(phases: readonly Explained[]): readonly string[] {
  const width = Math.max(0, ...phases.map(({ phase }) => phase.length));
  return phases.flatMap(({ phase, hooks, outcome, key, reasons }) => {
    const name = phase.padEnd(width);
    const count = `${hooks.length} hook${hooks.length === 1 ? '' : 's'}`;
    const [first = '', ...rest] = reasons;
    return outcome === 'reused'
      ? [`${name}  reused  ${key ?? ''} (${count})`]
      : [
          `${name}  runs    ${first}`,
          ...rest.map((reason) => `${' '.repeat(width)}          ${reason}`),
        ];
  });
}
