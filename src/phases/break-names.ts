/**
 * The names of break points. Pure.
 *
 * `before-PHASE`, `after-PHASE` and `after-error` are compat (lib/common-functions, `check_break`).
 * Ours beyond: `before-PHASE.d/HOOK` and `after-PHASE.d/HOOK`, or the hook's name alone where only
 * one phase has it; and a name that would never be reached is refused.
 */
import { type Failed, usageError } from '../events/failure.ts';
import { closestNames } from '../plan/closest.ts';
import { PHASES } from './table.ts';

/** The build's hooks: phase to names, in run order. */
export type HooksByPhase = ReadonlyMap<string, readonly string[]>;

export const AFTER_ERROR = 'after-error';

type When = 'before' | 'after';

/** The point before or after a phase. */
export function phasePoint(when: When, phase: string): string {
  return `${when}-${phase}`;
}

/** The point before or after a hook; `directory` is the phase's, such as `install.d`. */
export function hookPoint(when: When, directory: string, hook: string): string {
  return `${when}-${directory}/${hook}`;
}

/**
 * How many of a phase's first hooks are done before the build first stops in it: layers may stand for those.
 * Undefined when it does not stop there.
 */
export function hooksBeforeStop(
  points: readonly string[],
  phase: string,
  hooks: readonly string[],
): number | undefined {
  if (points.includes(phasePoint('before', phase))) {
    return 0;
  }
  for (const [index, hook] of hooks.entries()) {
    if (points.includes(hookPoint('before', `${phase}.d`, hook))) {
      return index;
    }
    if (points.includes(hookPoint('after', `${phase}.d`, hook))) {
      return index + 1;
    }
  }
  return points.includes(phasePoint('after', phase)) ? hooks.length : undefined;
}

/** The points written out, without duplicates. @throws Failed `usage` that tells of every unknown one. */
export function resolveBreakPoints(
  given: readonly string[],
  hooks: HooksByPhase,
): readonly string[] {
  const known = knownPoints(hooks);
  const resolved = given.map((name) => resolvePoint(name, known, hooks));
  const problems = resolved.filter((each) => typeof each === 'object');
  if (problems.length > 0) {
    throw refusal(problems);
  }
  return [...new Set(resolved.filter((each) => typeof each === 'string'))];
}

interface Problem {
  readonly message: string;
  readonly hint: string;
}

function refusal(problems: readonly Problem[]): Failed {
  return usageError(
    problems.map(({ message }) => message).join('\n'),
    [...new Set(problems.map(({ hint }) => hint))].join('\n'),
  );
}

function knownPoints(hooks: HooksByPhase): ReadonlySet<string> {
  const both = (name: string): readonly string[] => [`before-${name}`, `after-${name}`];
  return new Set([
    AFTER_ERROR,
    ...PHASES.flatMap((phase) => both(phase.name)),
    ...[...hooks].flatMap(([phase, names]) => names.flatMap((name) => both(`${phase}.d/${name}`))),
  ]);
}

function resolvePoint(
  name: string,
  known: ReadonlySet<string>,
  hooks: HooksByPhase,
): string | Problem {
  if (known.has(name)) {
    return name;
  }
  const [, when, rest = ''] = /^(before|after)-(.+)$/.exec(name) ?? [];
  const homes = [...hooks].filter(([, names]) => names.includes(rest)).map(([phase]) => phase);
  const [home, ...others] = homes;
  if (when === undefined || home === undefined) {
    return { message: `Unknown break point '${name}'`, hint: hintFor(name, known, hooks) };
  }
  return others.length === 0
    ? `${when}-${home}.d/${rest}`
    : {
        message: `The break point '${name}' can mean several hooks`,
        hint: `Say which: ${homes.map((phase) => `${when}-${phase}.d/${rest}`).join(', ')}`,
      };
}

function hintFor(name: string, known: ReadonlySet<string>, hooks: HooksByPhase): string {
  const bare = [...hooks.values()].flat().flatMap((hook) => [`before-${hook}`, `after-${hook}`]);
  const near = closestNames(name, new Set([...known, ...bare]));
  if (near.length > 0) {
    return `Did you mean ${near.join(' or ')}?`;
  }
  const phases = PHASES.map((phase) => phase.name).join(', ');
  return [
    'break takes a comma list of before-PHASE, after-PHASE, before-PHASE.d/HOOK, after-PHASE.d/HOOK and after-error',
    `Phases: ${phases}; 'dibkit plan' shows the hooks`,
  ].join('\n');
}
