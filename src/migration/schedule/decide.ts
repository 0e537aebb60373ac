/**
 * What a scheduler does next, from the time and from what it did last. Pure.
 *
 * An occurrence is known by its instant, and each is settled at most once: `settled` is the latest one
 * that was run or skipped, and what is due is what lies between it and now. So neither a restart nor
 * a clock that is set back runs an occurrence again.
 */
import type { ScheduleConfig } from '../config.ts';
import type { Schedule } from './cron.ts';

/** What becomes of occurrences that nobody was there for: one run for all of them, or none. */
export type MissedPolicy = ScheduleConfig['missed'];

export interface Moment {
  /** ms since the epoch, like all times here. */
  readonly now: number;
  /** The latest occurrence that was settled, or when scheduling began. */
  readonly settled: number;
}

export type Decision =
  | { readonly kind: 'wait'; readonly until: number }
  /** `due` is settled by this; `missed` are occurrences that are too old, this one included or not. */
  | { readonly kind: 'run'; readonly due: number; readonly missed: number }
  | { readonly kind: 'skip'; readonly due: number; readonly missed: number }
  /** The clock was further ahead when we settled something than a correction explains. */
  | { readonly kind: 'forget'; readonly settled: number };

/** Later than this an occurrence counts as missed: the machine slept, or nothing ran. */
export const PUNCTUAL_MS: number = 5 * 60_000;

/** A settled occurrence this far in the future was settled by a wrong clock. */
const BELIEVABLE_AHEAD_MS = 26 * 3_600_000;

/** Of a long gap only so many occurrences are counted. */
const MOST_COUNTED = 1000;

export function decide(schedule: Schedule, moment: Moment, policy: MissedPolicy): Decision {
  const { now, settled } = moment;
  if (settled - now > BELIEVABLE_AHEAD_MS) {
    return { kind: 'forget', settled };
  }
  const first = schedule.next(settled);
  if (first > now) {
    return { kind: 'wait', until: first };
  }
  const { due, missed } = lastOf(schedule, first, now);
  const punctual = now - due <= PUNCTUAL_MS;
  return { kind: punctual || policy === 'run' ? 'run' : 'skip', due, missed };
}

/** The latest occurrence up to `now`, from `first` on, and how many are not punctual any more. */
function lastOf(
  schedule: Schedule,
  first: number,
  now: number,
): { readonly due: number; readonly missed: number } {
  let due = first;
  let missed = 0;
  for (let next = first; next <= now; next = schedule.next(next)) {
    due = next;
    missed += now - next > PUNCTUAL_MS ? 1 : 0;
    if (missed >= MOST_COUNTED) {
      return { due: now, missed };
    }
  }
  return { due, missed };
}
