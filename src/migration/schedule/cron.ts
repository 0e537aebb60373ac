/**
 * When runs are due: a cron expression in a time zone, as instants. Pure.
 *
 * croner decides. What we rely on, and test: a local time that daylight saving skips is due once, just
 * after the gap; one that comes twice is due the first time only.
 */
import { Cron } from 'croner';
import { configError } from '../../events/failure.ts';

/** The original's: every day at 02:00. */
export const DEFAULT_EXPRESSION = '0 2 * * *';

export interface Schedule {
  readonly expression: string;
  /** IANA name. */
  readonly timeZone: string;
  /** The first instant after `after` (both ms since the epoch), to the second. */
  next(after: number): number;
}

/** The zone of this process: TZ, else /etc/localtime. */
export function localTimeZone(): string {
  const zone: string | undefined = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  // What Node says when TZ names none differs from release to release.
  return zone ?? 'Etc/Unknown';
}

/**
 * Reads `MINUTE HOUR DAY MONTH WEEKDAY` (or with seconds in front), or `@daily` and the like.
 *
 * @throws Failed `config` for what is no expression, never due, or no time zone.
 */
export function parseSchedule(expression: string, timeZone: string): Schedule {
  assertTimeZone(timeZone);
  const cron = cronOf(expression, timeZone);
  const next = (after: number): number | undefined => cron.nextRun(new Date(after))?.getTime();
  if (next(0) === undefined) {
    throw configError(`The schedule '${expression}' is never due`, {
      hint: `Every day at 02:00 is '${DEFAULT_EXPRESSION}'`,
    });
  }
  return {
    expression,
    timeZone,
    next: (after) => next(after) ?? Number.POSITIVE_INFINITY,
  };
}

/** @throws Failed `config` */
export function assertTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (error) {
    throw configError(`Cannot use the time zone '${timeZone}': ${(error as Error).message}`, {
      hint: "Give a name such as 'Asia/Shanghai' or 'UTC', with --time-zone or in TZ",
    });
  }
}

function cronOf(expression: string, timezone: string): Cron {
  try {
    return new Cron(expression, { timezone, paused: true });
  } catch (error) {
    const reason = (error as Error).message.replace(/^CronPattern: /, '');
    throw configError(`Cannot use the schedule '${expression}': ${reason}`, {
      hint: `Every day at 02:00 is '${DEFAULT_EXPRESSION}'`,
    });
  }
}
