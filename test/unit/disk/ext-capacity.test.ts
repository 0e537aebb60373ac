import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extCapacity, indirectBlocks } from '../../../src/disk/ext-capacity.ts';

const MIB = 2 ** 20;

/** type, MiB, options; what mke2fs 1.47.0 left: block size, blocks, inodes. */
const CASES: readonly (readonly [string, number, string, string])[] = [
  ['ext4', 30, '', '1024 27030 7669'],
  ['ext4', 24, '-i 4096 -J size=8', '1024 14441 6133'],
  ['ext4', 300, '-i 4096 -J size=64', '1024 220265 76901'],
  ['ext4', 511, '-i 4096 -J size=64', '1024 422596 130549'],
  ['ext4', 512, '-i 4096 -J size=8', '4096 120623 131061'],
  ['ext4', 600, '-i4096 -J size=64 -m 0', '4096 127372 153589'],
  ['ext4', 600, '-N 1000', '4096 149195 1029'],
  ['ext4', 60, '-b 4096 -i 4096', '4096 13359 15349'],
  // A last group of 256 blocks is not used.
  ['ext4', 1025, '', '4096 249181 65653'],
  // More inodes than a bitmap holds: smaller groups.
  ['ext4', 1025, '-i 4096 -J size=4', '4096 244295 262501'],
  ['ext4', 5120, '', '4096 1268642 327669'],
  ['ext4', 10240, '-E resize=4000000', '4096 2554687 655349'],
  ['ext4', 4, '-b 4096', '4096 950 1013'],
  ['ext4', 102_400, '', '4096 25656552 6553589'],
  ['ext3', 600, '', '4096 146966 38389'],
  ['ext2', 600, '', '4096 151067 38389'],
];

for (const [type, mib, options, left] of CASES) {
  test(`extCapacity(): ${type} of ${mib} MiB with '${options}'`, () => {
    const words = options.split(' ').filter((word) => word !== '');
    const found = extCapacity({ type, sizeBytes: mib * MIB, options: words });
    assert.equal(`${found?.blockBytes} ${found?.freeBlocks} ${found?.freeInodes}`, left);
  });
}

const UNKNOWN = [
  '-T news',
  '-O bigalloc',
  '-O ^sparse_super',
  '-J device=/dev/x',
  '-E x=1',
  '-i 0',
];

test('extCapacity() leaves what it does not know to mke2fs', () => {
  for (const options of [...UNKNOWN, '-g 100', '-d']) {
    const request = { type: 'ext4', sizeBytes: 600 * MIB, options: options.split(' ') };
    assert.equal(extCapacity(request), undefined, options);
  }
  assert.equal(extCapacity({ type: 'ext4', sizeBytes: 1024, options: [] }), undefined);
});

test('indirectBlocks() counts what a file without extents needs besides', () => {
  const cases = [
    [12, 0],
    [13, 1],
    [12 + 1024, 1],
    [12 + 1024 + 1, 3],
    [4096, 5],
    [12 + 1024 + 1024 * 1024, 1026],
    [12 + 1024 + 1024 * 1024 + 1, 1029],
  ] as const;
  for (const [blocks, indirect] of cases) {
    assert.equal(indirectBlocks(blocks, 4096), indirect, String(blocks));
  }
});
