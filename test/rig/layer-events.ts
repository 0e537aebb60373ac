/** What became of the phases of a build on layers, read from its events. */
import type { Result } from './rig.ts';

/**
 * `root: reused`, `install: run`, ...: what became of each phase. Of one that was cut, because the machine
 * was slow, of its last part.
 */
export function outcomes({ events }: Pick<Result, 'events'>): readonly string[] {
  const last = new Map<string, string>();
  for (const event of events) {
    if (event.kind === 'layer' && event.outcome !== 'kept') {
      last.set(event.phase, event.outcome);
    }
  }
  return [...last].map(([phase, outcome]) => `${phase}: ${outcome}`);
}

/** Why phases ran. */
export function reasons({ events }: Pick<Result, 'events'>): readonly string[] {
  return events.flatMap((event) =>
    event.kind === 'layer' && event.outcome === 'run' ? event.reasons : [],
  );
}

export const reused = (...phases: readonly string[]): readonly string[] =>
  phases.map((phase) => `${phase}: reused`);
