import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseVictims,
  type Made,
  passedOver,
  type Removable,
  standingOn,
} from '../../../src/layers/prune.ts';

const layer = (key: string, parent: string, usedMs: number): Removable => ({
  key,
  parent,
  sizeBytes: 10,
  usedMs,
  isPassedOver: false,
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

test('chooseVictims() takes what is passed over with what stands on it, unless a build uses it', () => {
  const tree = TREE.map((each) => ({ ...each, isPassedOver: 'bc'.includes(each.key) }));
  const rule = { inUse: none, budgetBytes: 1000 };
  assert.deepEqual(chooseVictims(tree, rule), ['c', 'b']);
  assert.deepEqual(chooseVictims(tree, { ...rule, inUse: new Set(['a', 'b', 'c']) }), []);
});

test('standingOn() has what is named removed with what stands on it, and nothing else', () => {
  const victims = (...named: readonly string[]): readonly string[] =>
    chooseVictims(standingOn(new Set(named), TREE), { inUse: none, budgetBytes: 1000 });
  assert.deepEqual(victims('b'), ['c', 'b']);
  assert.deepEqual(victims('a'), ['c', 'b', 'd', 'a']);
  assert.deepEqual(victims(), []);
});

test('passedOver() keeps the newest whole layer of the same inputs, unless it stands on another one', () => {
  const made = (key: string, createdMs: number, more: Partial<Made> = {}): Made => ({
    ...{ key, createdMs, isTorn: false, parent: '', owners: '', ...more },
  });
  const layers = [made('s-a', 1), made('s-a.1', 3), made('s-a.2', 2), made('s-b', 1)];
  assert.deepEqual([...passedOver(layers)], ['s-a', 's-a.2']);
  assert.deepEqual(
    [...passedOver([made('s-a', 1), made('s-a.1', 2, { isTorn: true })])],
    ['s-a.1'],
  );
  assert.deepEqual([...passedOver([made('s-a', 1), made('s-a.1', 1)])], ['s-a.1']);
  const child = made('t-a', 2, { parent: 's-a' });
  assert.deepEqual([...passedOver([...layers, child])], ['s-a', 's-a.2', 't-a']);
  const other = made('s-a.1', 2, { owners: '100000:100000' });
  assert.deepEqual([...passedOver([made('s-a', 1), other])], []);
});
