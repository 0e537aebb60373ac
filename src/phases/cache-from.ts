/** `--cache-from`: the phase from which on a build runs anew. Pure. */
import { usageError } from '../events/failure.ts';
import { closestNames } from '../plan/closest.ts';
import { PHASES } from './table.ts';

/** @throws Failed `usage` for what is no phase: it would be taken for a build as always */
export function assertCacheFrom(name: string | undefined): void {
  const phases = PHASES.map((phase) => phase.name as string);
  if (name === undefined || phases.includes(name)) {
    return;
  }
  const near = closestNames(name, phases);
  throw usageError(
    `Unknown phase '${name}' in --cache-from (DIB_CACHE_FROM)`,
    [
      ...(near.length > 0 ? [`Did you mean ${near.join(' or ')}?`] : []),
      `Phases: ${phases.join(', ')}`,
    ].join('\n'),
  );
}
