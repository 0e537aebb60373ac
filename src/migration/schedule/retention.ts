/**
 * Which log directories are too old. Pure. Source: task/remove_submit_logs.py, with the day at the
 * end of the name instead of its first eight digits, which may be a version's.
 */
import { submitLogDay } from '../state.ts';

const DAY_MS = 86_400_000;

/** The names that are `submit-log-OS_VERSION_ARCH-DATE` and more than `keepDays` whole days old. */
export function expiredLogs(
  names: readonly string[],
  keepDays: number,
  now: Date,
): readonly string[] {
  return names.filter((name) => {
    const begun = startOfDay(submitLogDay(name));
    return begun !== undefined && Math.floor((now.getTime() - begun) / DAY_MS) > keepDays;
  });
}

/** Midnight of `YYYYMMDD`, in local time like the names. */
function startOfDay(day: string | undefined): number | undefined {
  const [, year, month, date] = /^(\d{4})(\d{2})(\d{2})$/.exec(day ?? '')?.map(Number) ?? [];
  return year === undefined || month === undefined
    ? undefined
    : new Date(year, month - 1, date).getTime();
}
