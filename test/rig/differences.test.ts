/** The comparison itself: it tells what is there, and what no longer is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TreeEntry } from '../../src/output/compare-trees.ts';
import {
  aboveNoise,
  type Entries,
  type Expected,
  findingsOf,
  judge,
  report,
} from './differences.ts';

const OLD = 1_000;
const STARTED = 2_000;

function entry(more: Partial<TreeEntry> = {}): TreeEntry {
  return { type: 'file', mode: 0o644, owner: '0:0', mtime: OLD, xattrs: {}, ...more };
}

function tree(entries: Readonly<Record<string, Partial<TreeEntry>>>): Entries {
  return new Map(Object.entries(entries).map(([path, more]) => [path, entry(more)]));
}

function linesOf(upstream: Entries, ours: Entries, table: readonly Expected[] = []) {
  return report(judge(findingsOf(upstream, ours, STARTED), table));
}

test('each thing that differs about a path is a finding of its own', () => {
  const upstream = tree({ '/a': { mode: 0o600 }, '/b': {}, '/same': {} });
  const ours = tree({ '/a': { owner: '1:1' }, '/c': {}, '/same': {} });
  assert.deepEqual(linesOf(upstream, ours), [
    'unexpected: /a: mode: upstream 0600, ours 0644',
    'unexpected: /a: owner: upstream 0:0, ours 1:1',
    'unexpected: /b: file, only-upstream',
    'unexpected: /c: file, only-ours',
  ]);
});

test('times count where upstream keeps them, and not where they are those of the build', () => {
  const upstream = tree({ '/kept': { mtime: OLD }, '/made': { mtime: STARTED + 1 } });
  const ours = tree({ '/kept': { mtime: OLD + 1 }, '/made': { mtime: STARTED + 2 } });
  assert.deepEqual(
    findingsOf(upstream, ours, STARTED).map(({ path, what }) => [path, what]),
    [['/kept', 'time']],
  );
});

test('a row covers what it names, of the paths that it names', () => {
  const because = 'reason';
  const upstream = tree({ '/a': { mode: 0o600, owner: '1:1' }, '/aa': { mode: 0o600 } });
  const ours = tree({ '/a': {}, '/aa': {} });
  assert.deepEqual(linesOf(upstream, ours, [{ path: /^\/a$/, what: ['mode'], because }]), [
    'unexpected: /a: owner: upstream 1:1, ours 0:0',
    'unexpected: /aa: mode: upstream 0600, ours 0644',
  ]);
});

test('a row that nothing is like is told', () => {
  const table: readonly Expected[] = [{ path: /^\/gone$/, what: ['mode'], because: 'reason' }];
  assert.deepEqual(linesOf(tree({}), tree({}), table), [
    String.raw`no longer there: /^\/gone$/ mode (reason)`,
  ]);
});

test('what upstream does not agree on with itself is no finding, whoever lacks it', () => {
  const [first, second] = [tree({ '/a': { mode: 0o600 }, '/b': {} }), tree({ '/a': {}, '/c': {} })];
  const ours = tree({ '/a': { mode: 0o640, owner: '1:1' }, '/c': {}, '/d': {} });
  const noise = findingsOf(first, second, STARTED);
  const left = aboveNoise(findingsOf(first, ours, STARTED), noise);
  assert.deepEqual(
    left.map(({ path, what }) => [path, what]),
    [
      ['/a', 'owner'],
      ['/d', 'only-ours'],
    ],
  );
});
