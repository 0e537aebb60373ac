import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumOf } from '../../../src/disk/measure.ts';

const KIB4 = 4096;
const MIB = 2 ** 20;

/** type, lines of `find`, bytes of content; each inode adds its entry in a directory. */
const CASES: readonly [what: string, lines: readonly string[], content: number][] = [
  ['a file takes whole blocks', ['f 1:2 1 5000 8'], 2 * KIB4],
  ['an empty file takes none', ['f 1:2 1 0 0'], 0],
  ['what the host has not written yet counts', ['f 1:2 1 5000 0'], 2 * KIB4],
  ['a large hole does not count', [`f 1:2 1 ${64 * MIB} 16`], 2 * KIB4],
  [
    'a directory is a block, however the host stores it',
    ['d 1:2 5 60 0', 'd 1:3 2 8192 16'],
    2 * KIB4,
  ],
  ['a file of two names counts once', ['f 1:2 2 4096 8', 'f 1:2 2 4096 8'], KIB4],
  ['the same number on another device is another file', ['f 1:2 2 1 8', 'f 3:2 2 1 8'], 2 * KIB4],
  ['a short link is in its inode', ['l 1:2 1 59 0'], 0],
  ['a long link is not', ['l 1:2 1 60 8'], KIB4],
  ['devices and sockets take nothing', ['c 1:2 1 0 0', 's 1:3 1 0 0'], 0],
];

for (const [what, lines, content] of CASES) {
  test(`sumOf(): ${what}`, () => {
    assert.equal(sumOf(lines).bytes, content + 40 * lines.length);
  });
}

test('sumOf() counts an inode of several names once', () => {
  const lines = ['d 1:1 3 4096 8', 'f 1:2 2 1 8', 'f 1:2 2 1 8', 'l 1:3 1 5 0'];
  assert.equal(sumOf(lines).inodes, 3);
});

test('sumOf() counts what a tar may take: a header for each name, contents once, holes in full', () => {
  const lines = ['d 1:1 3 4096 8', 'f 1:2 2 1 8', 'f 1:2 2 1 8', `f 1:3 1 ${64 * MIB} 16`];
  assert.equal(sumOf(lines).archiveBytes, 4 * (4096 + 512) + 512 + 64 * MIB);
});
