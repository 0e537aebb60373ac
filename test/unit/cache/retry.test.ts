import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPassingStatus, nextDelay, parseRetryAfter } from '../../../src/cache/retry.ts';

const POLICY = { attempts: 4, baseMs: 100, maxMs: 300 };

const DELAYS = [
  [{ fruitless: 1 }, 0, 50],
  [{ fruitless: 1 }, 0.999, 99.95],
  [{ fruitless: 2 }, 0, 100],
  [{ fruitless: 3 }, 0, 150],
  [{ fruitless: 3 }, 0.999, 299.85],
  [{ fruitless: 4 }, 0, 'give-up'],
  [{ fruitless: 0 }, 0, 50],
  [{ fruitless: 1, retryAfterMs: 7000 }, 0, 7000],
  [{ fruitless: 1, retryAfterMs: 10 }, 0, 50],
  [{ fruitless: 1, retryAfterMs: 86_400_000 }, 0, 120_000],
  [{ fruitless: 4, retryAfterMs: 1 }, 0, 'give-up'],
] as const;

test('nextDelay() doubles up to a bound, leaves half to chance, and obeys Retry-After within reason', () => {
  for (const [attempt, random, expected] of DELAYS) {
    const delay = nextDelay(attempt, POLICY, random);
    const shown = `${JSON.stringify(attempt)} with ${random}`;
    if (typeof delay === 'number' && typeof expected === 'number') {
      assert.ok(Math.abs(delay - expected) < 0.01, `${shown}: ${delay}`);
    } else {
      assert.equal(delay, expected, shown);
    }
  }
});

test('parseRetryAfter() reads seconds and dates, and nothing from nonsense', () => {
  const now = Date.parse('Wed, 01 Jan 2020 00:00:00 GMT');
  assert.equal(parseRetryAfter('7', now), 7000);
  assert.equal(parseRetryAfter('Wed, 01 Jan 2020 00:00:09 GMT', now), 9000);
  assert.equal(parseRetryAfter('Tue, 31 Dec 2019 00:00:00 GMT', now), 0);
  assert.equal(parseRetryAfter('soon', now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test('isPassingStatus() is true for what another attempt may change', () => {
  assert.deepEqual([408, 429, 500, 502, 503, 504].filter(isPassingStatus).length, 6);
  assert.deepEqual([200, 301, 400, 401, 403, 404, 410, 501].filter(isPassingStatus), []);
});
