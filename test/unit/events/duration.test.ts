import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderDuration, renderElapsed, renderSize } from '../../../src/events/duration.ts';

test('renderDuration() rounds once, before it chooses the unit', () => {
  const cases = [
    [0, '0.0 s'],
    [449, '0.4 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [3_720_000, '1 h 02 min'],
  ] as const;
  for (const [durationMs, expected] of cases) {
    assert.equal(renderDuration(durationMs), expected);
  }
});

test('renderElapsed() counts whole seconds that have passed', () => {
  assert.equal(renderElapsed(-5), '0:00');
  assert.equal(renderElapsed(5_999), '0:05');
  assert.equal(renderElapsed(760_000), '12:40');
  assert.equal(renderElapsed(3_729_000), '1:02:09');
});

test('renderSize() keeps three digits', () => {
  assert.equal(renderSize(812), '812 B');
  assert.equal(renderSize(1023), '1.00 KiB');
  assert.equal(renderSize(1_600_000), '1.53 MiB');
  assert.equal(renderSize(432_013_312), '412 MiB');
  assert.equal(renderSize(2 ** 31), '2.00 GiB');
});
