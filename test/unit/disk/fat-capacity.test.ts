import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fatCapacity } from '../../../src/disk/fat-capacity.ts';

/** MiB, bytes of a sector, options; what mkfs.vfat 4.2 left: bytes of a cluster, clusters. */
const CASES: readonly (readonly [number, number, string, string])[] = [
  [40, 512, '-F 32 -s 1', '512 80628'],
  [100, 512, '-F 32 -s 1', '512 201616'],
  [511, 512, '-F 32 -s 1', '512 1030361'],
  [512, 512, '-F 32', '4096 130811'],
  [550, 512, '-F 32', '4096 140517'],
  [9000, 512, '-F 32', '8192 1150872'],
  [500, 4096, '-F 32 -s 1', '4096 127718'],
  [600, 4096, '-F 32', '4096 153268'],
];

for (const [mib, sectorBytes, options, left] of CASES) {
  test(`fatCapacity(): ${mib} MiB of ${sectorBytes}-byte sectors with '${options}'`, () => {
    const sizeBytes = mib * 2 ** 20;
    const found = fatCapacity({ sizeBytes, sectorBytes, options: options.split(' ') });
    assert.equal(`${found?.clusterBytes} ${found?.clusters}`, left);
  });
}

test('fatCapacity() leaves other kinds of FAT to mkfs.vfat', () => {
  for (const options of [[], ['-F', '16'], ['-F', '32', '-R', '64'], ['-F', '32', '-s', 'x']]) {
    const request = { sizeBytes: 2 ** 29, sectorBytes: 512, options };
    assert.equal(fatCapacity(request), undefined, options.join(' '));
  }
});
