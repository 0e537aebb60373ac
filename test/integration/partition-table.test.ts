/** Partition tables of ours beside sfdisk's, and with sectors that it does not know, as others read them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ImageLayout } from '../../src/disk/layout.ts';
import { tableWrites } from '../../src/disk/partition-table.ts';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { EFI, GPT, MBR, planOf, SEPARATE } from '../unit/disk/configs.ts';

function scratch(context: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'table-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function imageOf(text: string, sizeMiB: number, sectorBytes?: number): ImageLayout {
  const [image] = planOf(text, sizeMiB, sectorBytes).images;
  assert.ok(image !== undefined);
  return image;
}

function write(file: string, image: ImageLayout): void {
  const handle = openSync(file, 'wx');
  ftruncateSync(handle, image.sizeBytes);
  for (const { offsetBytes, bytes } of tableWrites(image)) {
    writeSync(handle, bytes, 0, bytes.length, offsetBytes);
  }
  closeSync(handle);
}

/** The same table in sfdisk's words. Source: sfdisk(8), "Input formats". */
function script({ label, diskId, partitions }: ImageLayout): string {
  const rows = partitions.map(({ index, startSector, sectors, type, uuid, name, bootable }) =>
    [
      `${index} : start=${startSector}, size=${sectors}, type=${type}`,
      ...(uuid === undefined ? [] : [`uuid=${uuid}, name="${name}"`]),
      ...(bootable ? ['bootable'] : []),
    ].join(', '),
  );
  const kind = label === 'mbr' ? 'dos' : label;
  return [`label: ${kind}`, `label-id: ${diskId}`, 'unit: sectors', '', ...rows, ''].join('\n');
}

function bytesAt(file: string, offset: number, length: number): Buffer {
  const handle = openSync(file, 'r');
  const bytes = Buffer.alloc(length);
  readSync(handle, bytes, 0, length, offset);
  closeSync(handle);
  return bytes;
}

const LOGICALS = (align: string): string => `- local_loop: {name: image0}
- partitioning:
    base: image0
    label: mbr
    align: ${align}
    partitions:
      - {name: p, size: 10MiB, flags: [boot, primary]}
      - {name: a, size: 30%}
      - {name: b, size: 30%, type: '82'}
      - {name: c, size: 30%}
- local_loop: {name: other, mkfs: {type: ext4, mount: {mount_point: /}}}
`;

test('a table is, byte for byte, the one that sfdisk writes', (context) => {
  const directory = scratch(context);
  const rows: readonly (readonly [string, number])[] = [
    [MBR, 2048],
    // Beyond what old addresses reach, and what 32 bits of sectors hold in a protective MBR.
    [MBR, 20_000],
    [GPT, 3_000_000],
    [EFI, 2048],
    [GPT.replaceAll('BSP', 'Größe €'), 100],
  ];
  for (const [index, [text, sizeMiB]] of rows.entries()) {
    const image = imageOf(text, sizeMiB);
    const [ours, theirs] = ['ours', 'theirs'].map((name) => path.join(directory, name + index));
    assert.ok(ours !== undefined && theirs !== undefined);
    write(ours, image);
    execFileSync('truncate', ['-s', String(image.sizeBytes), theirs]);
    execFileSync('sfdisk', ['--quiet', '--no-reread', theirs], { input: script(image) });
    for (const at of [0, image.sizeBytes - 64 * 1024]) {
      assert.deepEqual(bytesAt(ours, at, 64 * 1024), bytesAt(theirs, at, 64 * 1024), text);
    }
  }
});

test('sfdisk reads back every partition, logical ones for any alignment', (context) => {
  const directory = scratch(context);
  const texts = [SEPARATE, ...['64KiB', '1MiB', '4MiB', '4KiB'].map(LOGICALS)];
  for (const [index, text] of texts.entries()) {
    const image = imageOf(text, 200);
    const file = path.join(directory, `${index}.raw`);
    write(file, image);
    const read = execFileSync('sfdisk', ['--json', file], { encoding: 'utf8' });
    const { partitiontable } = JSON.parse(read) as {
      partitiontable: {
        id: string;
        partitions: { node: string; start: number; size: number; type: string; bootable?: true }[];
      };
    };
    assert.equal(partitiontable.id, image.diskId);
    assert.deepEqual(
      partitiontable.partitions.map(({ node, start, size, type, bootable = false }) => [
        ...[Number(node.slice(file.length)), start, size, type, bootable],
      ]),
      image.partitions.map(({ index: number, startSector, sectors, type, bootable }) => [
        ...[number, startSector, sectors, type, bootable],
      ]),
    );
    assert.match(execFileSync('sfdisk', ['--verify', file]).toString(), /No errors detected/);
  }
});

test('on a device with sectors of 4096 bytes sfdisk finds every partition', {
  skip: withoutLoopDevices(),
}, (context) => {
  const directory = scratch(context);
  for (const [index, text] of [EFI, LOGICALS('1MiB'), LOGICALS('4KiB')].entries()) {
    const image = imageOf(text, 700, 4096);
    const file = path.join(directory, `${index}.raw`);
    write(file, image);
    // The device goes when the command ends, whatever becomes of it.
    const read = execFileSync(
      'unshare',
      [
        ...['--mount', 'bash', '-c'],
        'device=$(losetup --find --show --sector-size 4096 "$1")\ntrap "losetup -d $device" EXIT\nsfdisk --json "$device"; sfdisk --verify "$device" >&2',
        ...['bash', file],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const { partitiontable } = JSON.parse(read) as {
      partitiontable: { sectorsize: number; partitions: { start: number; size: number }[] };
    };
    assert.equal(partitiontable.sectorsize, 4096);
    assert.deepEqual(
      partitiontable.partitions.map(({ start, size }) => [start, size]),
      image.partitions.map(({ startSector, sectors }) => [startSector, sectors]),
      text,
    );
  }
});
