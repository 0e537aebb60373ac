import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pythonFor } from '../../../src/plan/python.ts';

const CASES: readonly (readonly [readonly string[], string])[] = [
  [[], 'python3'],
  [['/home/me/elements', '/opt/dibkit/elements'], 'python3'],
  [['/usr/lib/python3/dist-packages/diskimage_builder/elements'], '/usr/bin/python3'],
  [['/usr/local/lib/python3.11/dist-packages/diskimage_builder/elements'], '/usr/bin/python3'],
  [['/e', '/v/lib/python3.12/site-packages/diskimage_builder/elements/'], '/v/bin/python3'],
];

for (const [path, python] of CASES) {
  test(`elements in ${path.join(':') || 'nothing'}: ${python}`, () =>
    assert.equal(pythonFor(path), python));
}
