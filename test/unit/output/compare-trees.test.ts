import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareTrees,
  renderDifferences,
  type TreeEntry,
} from '../../../src/output/compare-trees.ts';
import { parsePartitions } from '../../../src/output/partitions.ts';

const FILE: TreeEntry = {
  type: 'file',
  mode: 0o644,
  owner: '0:0',
  mtime: 1_700_000_000,
  xattrs: {},
  size: 3,
  sha256: 'a'.repeat(64),
};

function linesFor(left: TreeEntry | undefined, right: TreeEntry | undefined): readonly string[] {
  const side = (entry: TreeEntry | undefined): ReadonlyMap<string, TreeEntry> =>
    new Map(entry === undefined ? [] : [['/f', entry]]);
  return renderDifferences(compareTrees(side(left), side(right)), ['A', 'B']);
}

const CASES: readonly [what: string, other: TreeEntry | undefined, lines: readonly string[]][] = [
  ['nothing', { ...FILE }, []],
  ['a missing path', undefined, ['only in A: file /f']],
  ['a mode', { ...FILE, mode: 0o4755 }, ['/f: mode 0644 | 4755']],
  ['an owner', { ...FILE, owner: '1:2' }, ['/f: owner 0:0 | 1:2']],
  [
    'a time, down to nanoseconds',
    { ...FILE, mtime: 1_700_000_000.25 },
    ['/f: time 2023-11-14T22:13:20Z | 2023-11-14T22:13:20Z+0.25'],
  ],
  [
    'attributes, in any order',
    { ...FILE, xattrs: { 'user.b': '2', 'user.a': '1' } },
    ['/f: xattrs  | user.a=1 user.b=2'],
  ],
  [
    'content',
    { ...FILE, size: 4, sha256: 'b'.repeat(64) },
    ['/f: content 3 bytes, sha256 aaaaaaaaaaaa | 4 bytes, sha256 bbbbbbbbbbbb'],
  ],
  [
    'two things at once',
    { ...FILE, mode: 0o600, owner: '1:1' },
    ['/f: mode 0644 | 0600', '/f: owner 0:0 | 1:1'],
  ],
  [
    'a type, and then nothing else',
    { type: 'link', mode: 0o777, owner: '0:0', mtime: 0, xattrs: {}, link: '/g' },
    ['/f: type file | link'],
  ],
];

for (const [what, other, lines] of CASES) {
  test(`compareTrees() tells ${what}`, () => {
    assert.deepEqual(linesFor(FILE, other), lines);
  });
}

test('compareTrees() sorts by path and leaves out what it is told to', () => {
  const left = new Map([
    ['/b', FILE],
    ['/a', FILE],
  ]);
  const right = new Map([['/a', { ...FILE, mtime: 0 }]]);
  assert.deepEqual(
    compareTrees(left, right).map(({ path }) => path),
    ['/a', '/b'],
  );
  assert.deepEqual(
    compareTrees(left, right, { ignore: ['time'] }).map(({ path }) => path),
    ['/b'],
  );
});

test('parsePartitions() takes a disk without a table for one partition', () => {
  const { partitions } = parsePartitions(undefined, 4096);
  assert.deepEqual(partitions, [{ name: 'disk', startByte: 0, sizeBytes: 4096, facts: {} }]);
});
