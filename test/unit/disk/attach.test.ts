import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf } from '../../../src/disk/attach.ts';
import { LVM, planOf } from './configs.ts';

test('partsOf() gives the disk and its partitions, without an extended one', () => {
  const partition = { index: 1, type: '83', bootable: false } as const;
  const parts = partsOf(
    {
      name: 'image0',
      sizeBytes: 10 << 20,
      sectorBytes: 512,
      label: 'mbr',
      diskId: '0x1',
      partitions: [
        { ...partition, name: 'root', role: 'primary', startSector: 2048, sectors: 4096 },
        { ...partition, name: 'rest', role: 'extended', startSector: 6144, sectors: 8192 },
        { ...partition, name: 'var', role: 'logical', startSector: 8192, sectors: 4096 },
      ],
    },
    [],
  );
  assert.deepEqual(
    parts.map(({ name, offsetBytes, sizeBytes }) => [name, offsetBytes, sizeBytes]),
    [
      ['image0', 0, 10 << 20],
      ['root', 1 << 20, 2 << 20],
      ['var', 4 << 20, 2 << 20],
    ],
  );
});

test('partsOf() gives the logical volumes that lie in one run', () => {
  const { images, volumeGroups } = planOf(LVM, 512);
  const [image] = images;
  assert.ok(image !== undefined);
  const MIB = 2 ** 20;
  assert.deepEqual(
    partsOf(image, volumeGroups).map(({ name, offsetBytes, sizeBytes }) => [
      name,
      offsetBytes / MIB,
      sizeBytes / MIB,
    ]),
    [
      ['image0', 0, 512],
      ['BSP', 1, 8],
      ['root', 9, 502],
      // 125 extents of 4 MiB from 1 MiB on.
      ['lv_root', 10, 28 * 4],
      ['lv_var', 10 + 28 * 4, 71 * 4],
    ],
  );
});
