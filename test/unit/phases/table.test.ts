import assert from 'node:assert/strict';
import { test } from 'node:test';
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
