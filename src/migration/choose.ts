/** Which of the new packages this run submits, and what keeps it from submitting others. Pure. */
import type { LimitsConfig } from './config.ts';
import type { Result } from './journal-slots.ts';
import { fileOf } from './package-list.ts';
import type { Submission } from './submit-batch.ts';

/** Below so many new packages, a large share of few is no flood. */
const FLOOD_AT_LEAST = 100;

export interface ChoiceOptions {
  readonly architectures: readonly string[];
  /** What is known of a file on an architecture; undefined when nothing is. */
  readonly about: (architecture: string, file: string) => Result | undefined;
  readonly packagesPerRun: number;
  readonly giveUpAfterRuns: number;
  readonly retryUnknown: boolean;
}

export interface Choice {
  /** Packages that are to be submitted, now or later. */
  readonly packages: number;
  /** Packages that failed before come last: they must not stand in the way of the others. */
  readonly submissions: readonly Submission[];
  /** Packages that wait for the next run. */
  readonly deferred: number;
  /** By architecture: submitted by an earlier run; nobody knows whether submitted; given up. */
  readonly submitted: Readonly<Record<string, number>>;
  readonly unknown: Readonly<Record<string, number>>;
  readonly givenUp: Readonly<Record<string, number>>;
}

type Fate = 'submit' | 'submitted' | 'unknown' | 'givenUp';

/** Chooses among the new packages, architecture by architecture. */
export function chooseSubmissions(fresh: readonly string[], options: ChoiceOptions): Choice {
  const { architectures, packagesPerRun } = options;
  const counts = {
    submitted: zeroes(architectures),
    unknown: zeroes(architectures),
    givenUp: zeroes(architectures),
  };
  const wanted: (readonly Submission[])[] = [];
  for (const line of fresh) {
    const own = architectures.flatMap((architecture): readonly Submission[] => {
      const known = options.about(architecture, fileOf(line));
      const fate = fateOf(known, options);
      if (fate === 'submit') {
        return [{ architecture, line, failedRuns: known?.failedRuns ?? 0 }];
      }
      counts[fate][architecture] = (counts[fate][architecture] ?? 0) + 1;
      return [];
    });
    if (own.length > 0) {
      wanted.push(own);
    }
  }
  const hasFailed = (own: readonly Submission[]): boolean =>
    own.some((each) => each.failedRuns > 0);
  const ordered = [...wanted.filter((own) => !hasFailed(own)), ...wanted.filter(hasFailed)];
  return {
    packages: wanted.length,
    submissions: ordered.slice(0, packagesPerRun).flat(),
    deferred: Math.max(0, ordered.length - packagesPerRun),
    ...counts,
  };
}

function zeroes(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]));
}

function fateOf(known: Result | undefined, options: ChoiceOptions): Fate {
  switch (known?.outcome) {
    case undefined:
      return 'submit';
    case 'submitted':
      return 'submitted';
    case 'unknown':
      return options.retryUnknown ? 'submit' : 'unknown';
    case 'failed':
      return known.failedRuns >= options.giveUpAfterRuns ? 'givenUp' : 'submit';
  }
}

/** Why so many new packages are more likely a mistake than news; undefined when they are not. */
export function floodReason(
  fresh: number,
  listed: number,
  { newPercent }: LimitsConfig,
): string | undefined {
  const percent = (fresh * 100) / Math.max(1, listed);
  if (fresh < FLOOD_AT_LEAST || percent <= newPercent) {
    return undefined;
  }
  return `${fresh} of ${listed} packages are new (${Math.round(percent)} %), and limits.newPercent allows ${newPercent} %: nothing is submitted. Look with --dry-run, then run once with --allow-flood`;
}
