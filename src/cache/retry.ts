/** When to try a download again: pure, time and chance come in as arguments. */

export interface RetryPolicy {
  /** Attempts in a row that brought nothing, after which to give up. */
  readonly attempts: number;
  /** The first delay; it doubles from attempt to attempt. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** About 15 s in all. */
export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, baseMs: 500, maxMs: 30_000 };

/** The longest that a server may have us wait by Retry-After. */
const MAX_RETRY_AFTER_MS = 120_000;

/** What one attempt came to, as far as trying again is concerned. */
export interface FailedAttempt {
  /** Attempts in a row that brought nothing, this one included. */
  readonly fruitless: number;
  /** What the server asked for. */
  readonly retryAfterMs?: number;
}

/**
 * How long to wait before the next attempt, or `give-up`. `random` is in [0, 1): half of the delay is
 * left to it, so that many who failed together do not come back together.
 */
export function nextDelay(
  attempt: FailedAttempt,
  policy: RetryPolicy,
  random: number,
): number | 'give-up' {
  if (attempt.fruitless >= policy.attempts) {
    return 'give-up';
  }
  const exponent = Math.max(0, attempt.fruitless - 1);
  const ceilingMs = Math.min(policy.maxMs, policy.baseMs * 2 ** exponent);
  const jitteredMs = ceilingMs * (0.5 + random / 2);
  return Math.max(jitteredMs, Math.min(attempt.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}

/** Whether an HTTP status may be another one a little later. Source: RFC 9110, 15; curl(1), --retry. */
export function isPassingStatus(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

/** The delay that a Retry-After header asks for: seconds or a date. Source: RFC 9110, 10.2.3. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
