import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderProfile } from '../../../src/events/profile.ts';

test('renderProfile() is the table that upstream prints, rows by the bytes of the names', () => {
  const table = renderProfile('x.d', [
    { hook: '20-b', durationMs: 104 },
    { hook: '100-show', durationMs: 12_345.6 },
    { hook: `30-${'x'.repeat(45)}`, durationMs: 0.2 },
  ]);
  assert.deepEqual(table, [
    'dib-run-parts ----------------------- PROFILING -----------------------',
    'dib-run-parts ',
    'dib-run-parts Target: x.d',
    'dib-run-parts ',
    'dib-run-parts Script                                     Seconds',
    'dib-run-parts ---------------------------------------  ----------',
    'dib-run-parts ',
    'dib-run-parts 100-show                                     12.346',
    'dib-run-parts 20-b                                          0.104',
    `dib-run-parts 30-${'x'.repeat(45)}      0.000`,
    'dib-run-parts ',
    'dib-run-parts --------------------- END PROFILING ---------------------',
  ]);
});

test('renderProfile() of nothing is an empty table', () => {
  assert.equal(renderProfile('empty.d', []).length, 9);
});
