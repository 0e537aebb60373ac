/** Several problems with elements, as one failure that tells all of them. */
import { configError, type Failed } from '../events/failure.ts';

export interface Problem {
  /** One sentence without a final period. */
  readonly message: string;
  readonly hint?: string;
}

/**
 * A configuration error (exit 2) for one or more problems; `what` is what cannot be done. A hint that all
 * share is told once.
 */
export function problemsError(what: string, problems: readonly Problem[]): Failed {
  const [first, ...others] = problems;
  if (first !== undefined && others.length === 0) {
    return configError(first.message, first.hint === undefined ? {} : { hint: first.hint });
  }
  const hints = new Set(problems.map(({ hint }) => hint));
  const shared = hints.size === 1 ? first?.hint : undefined;
  const lines = problems.map(({ message, hint }) =>
    hint === undefined || hint === shared ? `- ${message}` : `- ${message}\n  ${hint}`,
  );
  return configError(
    [`${what}: ${problems.length} problems`, ...lines].join('\n'),
    shared === undefined ? {} : { hint: shared },
  );
}
