import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBreakPoints } from '../../../src/phases/breakpoints.ts';
import { PHASES } from '../../../src/phases/table.ts';

test('PHASES are upstream’s ten, in order', () => {
  assert.deepEqual(
    PHASES.map(({ name, where }) => `${name} ${where}`),
    [
      'root host',
      'extra-data host',
      'pre-install target',
      'install target',
      'post-install target',
      'post-root host',
      'block-device host',
      'pre-finalise host',
      'finalise target',
      'cleanup host',
    ],
  );
});

test('assertBreakPoints() takes every phase and after-error, and refuses the rest', () => {
  const known = PHASES.flatMap(({ name }) => [`before-${name}`, `after-${name}`]);
  assert.doesNotThrow(() => assertBreakPoints([...known, 'after-error']));
  for (const point of ['before-error', 'before-install.d', 'install', 'before-block-device-size']) {
    assert.throws(() => assertBreakPoints([point]), new RegExp(point));
  }
});
