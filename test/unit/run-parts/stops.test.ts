import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnviron } from '../../../src/run-parts/stops.ts';

test('parseEnviron() keeps newlines, equal signs and exported functions, and drops `_`', () => {
  const text = 'A=1\nx=2\0B=\0BASH_FUNC_f%%=() { :; }\0_=/bin/bash\0broken\0';
  assert.deepEqual(parseEnviron(text), { A: '1\nx=2', B: '', 'BASH_FUNC_f%%': '() { :; }' });
});
