import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestNames } from '../../../src/plan/closest.ts';

const KNOWN = ['base', 'debian', 'debian-minimal', 'vm', 'growroot', 'ubuntu', 'ubuntu-minimal'];

const ROWS: readonly (readonly [name: string, expected: readonly string[]])[] = [
  ['debain', ['debian']],
  ['ubunto', ['ubuntu']],
  ['growrot', ['growroot']],
  ['wm', ['vm']],
  ['bas', ['base']],
  ['debian', ['debian', 'debian-minimal']],
  ['entirely-different', []],
  ['', []],
];

for (const [name, expected] of ROWS) {
  test(`closestNames() suggests [${expected}] for '${name}'`, () => {
    assert.deepEqual(closestNames(name, KNOWN), expected);
  });
}
