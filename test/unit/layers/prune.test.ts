import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseVictims, type Removable } from '../../../src/layers/prune.ts';

const layer = (key: string, parent: string, usedMs: number): Removable => ({
  key,
  parent,
  sizeBytes: 10,
  usedMs,
});
/** a ◀ b ◀ c, and a ◀ d. */
const TREE = [layer('a', '', 9), layer('b', 'a', 5), layer('c', 'b', 4), layer('d', 'a', 8)];
const none: ReadonlySet<string> = new Set();

test('chooseVictims() takes the longest unused leaf first, and a layer never before what stands on it', () => {
  const rule = { inUse: none, budgetBytes: 0 };
  assert.deepEqual(chooseVictims(TREE, rule), ['c', 'b', 'd', 'a']);
  assert.deepEqual(chooseVictims(TREE, { ...rule, budgetBytes: 25 }), ['c', 'b']);
  assert.deepEqual(chooseVictims(TREE, { ...rule, budgetBytes: 40 }), []);
});

test('chooseVictims() never takes what a build uses, nor what that stands on', () => {
  const inUse = new Set(['c']);
  assert.deepEqual(chooseVictims(TREE, { inUse, budgetBytes: 0 }), ['d']);
});

test('chooseVictims() takes what is older than wanted, whatever the budget', () => {
  const rule = { inUse: none, budgetBytes: 1000, usedBeforeMs: 5 };
  assert.deepEqual(chooseVictims(TREE, rule), ['c']);
});

test('chooseVictims() takes what stands on nothing', () => {
  const lost = [layer('b', 'gone', 9), layer('c', 'b', 9), layer('d', '', 1)];
  assert.deepEqual(chooseVictims(lost, { inUse: none, budgetBytes: 1000 }), ['b', 'c']);
});
