import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf } from '../../../src/disk/attach.ts';

test('partsOf() gives the disk and its partitions, without an extended one', () => {
  const partition = { index: 1, type: '83', bootable: false } as const;
  const parts = partsOf({
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
  });
  assert.deepEqual(
    parts.map(({ name, offsetBytes, sizeBytes }) => [name, offsetBytes, sizeBytes]),
    [
      ['image0', 0, 10 << 20],
      ['root', 1 << 20, 2 << 20],
      ['var', 4 << 20, 2 << 20],
    ],
  );
});
