/**
 * Collects everything that is wrong with a configuration, so that it is reported together.
 */
import { configError, type Failed, type Place } from '../events/failure.ts';

export interface Problem {
  readonly message: string;
  readonly at?: Place;
  readonly hint?: string;
}

export class Problems {
  readonly #found: Problem[] = [];

  add(message: string, at?: Place, hint?: string): void {
    this.#found.push({
      message,
      ...(at === undefined ? {} : { at }),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  get found(): readonly Problem[] {
    return this.#found;
  }

  /** @throws Failed `config`, when there is anything to report: see `problemsError`. */
  throwIfAny(): void {
    const error = problemsError(this.#found);
    if (error !== undefined) {
      throw error;
    }
  }
}

/**
 * One `config` failure, by lines: its place and first line are the first problem's, the others
 * follow, each with its own place.
 */
export function problemsError(problems: readonly Problem[]): Failed | undefined {
  const [first, ...others] = problems.toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0));
  if (first === undefined) {
    return undefined;
  }
  const lines = [
    first.message,
    ...others.map((problem) => `${renderPlace(problem)}${problem.message}`),
  ];
  const hint = problems.find((problem) => problem.hint !== undefined)?.hint;
  return configError(lines.join('\n  '), {
    ...(first.at === undefined ? {} : { at: first.at }),
    ...(hint === undefined ? {} : { hint }),
  });
}

function renderPlace({ at }: Problem): string {
  if (at === undefined) {
    return '';
  }
  const parts = [at.file, at.line, at.column].filter((part) => part !== undefined);
  return `${parts.join(':')}: `;
}
