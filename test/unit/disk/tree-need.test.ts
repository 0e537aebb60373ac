import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LargestPlaces } from '../../../src/disk/largest.ts';
import {
  extRules,
  fatRules,
  type NeedRules,
  NeedTally,
  parseEntry,
  type TreeNeed,
} from '../../../src/disk/tree-need.ts';

const EXT4 = extRules({ blockBytes: 4096, checksums: true, extents: true });
const EXT2 = extRules({ blockBytes: 1024, checksums: false, extents: false });
const FAT = fatRules(4096);
const TOP = 'd 1:1 3 4096 8 0 ';

function needOf(records: readonly string[], rules: NeedRules): TreeNeed {
  const tally = new NeedTally(rules);
  for (const record of records) {
    tally.add(parseEntry(record));
  }
  return tally.need;
}

/** A directory with `count` names of `length` bytes, all of one inode. */
function directory(count: number, length: number): string[] {
  const name = (index: number): string => String(index).padStart(length, '0');
  return [
    'd 1:2 2 4096 8 1 d',
    ...Array.from({ length: count }, (_, index) => `f 1:3 ${count} 0 0 2 d/${name(index)}`),
  ];
}

const CASES: readonly (readonly [string, readonly string[], NeedRules, number, number])[] = [
  ['the top is there already', [TOP], EXT4, 0, 0],
  ['FAT keeps nothing for the top', [TOP], FAT, 1, 0],
  ['a file takes whole blocks', [TOP, 'f 1:2 1 5000 16 1 a'], EXT4, 2, 1],
  ['of any size', [TOP, 'f 1:2 1 5000 16 1 a'], EXT2, 5, 1],
  ['an empty file takes an inode', [TOP, 'f 1:2 1 0 0 1 a'], EXT4, 0, 1],
  ['holes take none', [TOP, 'f 1:2 1 104857600 8 1 a'], EXT4, 1, 1],
  ['but do in FAT', [TOP, 'f 1:2 1 104857600 8 1 a'], FAT, 25_601, 1],
  ['what is not written yet counts', [TOP, 'f 1:2 1 5000 0 1 a'], EXT4, 2, 1],
  ['two names, one file', [TOP, 'f 1:2 2 5000 16 1 a', 'f 1:2 2 5000 16 1 b'], EXT4, 2, 1],
  ['but two in FAT', [TOP, 'f 1:2 2 4096 8 1 a', 'f 1:2 2 4096 8 1 b'], FAT, 3, 2],
  ['a short link is in its inode', [TOP, 'l 1:2 1 59 0 1 l'], EXT4, 0, 1],
  ['a long one is not', [TOP, 'l 1:2 1 60 8 1 l'], EXT4, 1, 1],
  ['devices and pipes', [TOP, 'c 1:2 1 0 0 1 n', 'p 1:3 1 0 0 1 p'], EXT4, 0, 2],
  ['a name with a newline', [TOP, 'f 1:2 1 1 8 1 a\nb'], EXT4, 1, 1],
  // 4096 - 12 - 24 leave room for 253 names of 8 + 8 bytes.
  ['a full directory', [TOP, ...directory(253, 8)], EXT4, 1, 2],
  ['one name more', [TOP, ...directory(254, 8)], EXT4, 2, 2],
  // 1024 - 24 leave room for 62.
  ['smaller blocks', [TOP, ...directory(63, 8)], EXT2, 2, 2],
  [
    'after a directory the one above goes on',
    [TOP, ...directory(1, 1), 'f 1:9 1 1 8 1 z'],
    EXT4,
    2,
    3,
  ],
  ['a large file has maps', [TOP, 'f 1:2 1 512000 1000 1 a'], EXT2, 503, 1],
];

for (const [claim, records, rules, blocks, inodes] of CASES) {
  test(`a tree's need: ${claim}`, () => {
    assert.deepEqual(needOf(records, rules), { blocks, inodes });
  });
}

test('a file whose blocks have been counted takes those', () => {
  const tally = new NeedTally(EXT4);
  tally.add(parseEntry(TOP));
  tally.add(parseEntry('f 1:2 1 409600 800 1 a'), 3);
  assert.deepEqual(tally.need, { blocks: 3, inodes: 1 });
});

test('the largest places are two parts of a path, the largest first', () => {
  const places = new LargestPlaces();
  const mib = 2 ** 20;
  const file = (path: string, sizeBytes: number): string =>
    `f 1:2 1 ${sizeBytes} ${sizeBytes / 512} ${path.split('/').length} ${path}`;
  for (const record of [
    file('usr/lib/x/a', 20 * mib),
    file('usr/lib/y/b', 13 * mib),
    file('usr/c', 2 * mib),
    file('ballast', 40 * mib),
    file('etc/small', 512),
    'd 1:9 2 4096 8 1 usr',
  ]) {
    places.add(parseEntry(record));
  }
  assert.equal(places.describe(), '/ballast 40 MiB, /usr/lib 33 MiB, /usr 2 MiB');
  assert.equal(places.describe(1), '/ballast 40 MiB');
  assert.equal(new LargestPlaces().describe(), undefined);
});
