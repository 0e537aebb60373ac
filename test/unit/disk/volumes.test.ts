/** Logical volumes, from their configuration to bytes. That LVM reads them is another test's claim. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskPlan } from '../../../src/disk/layout.ts';
import { lvmWrites } from '../../../src/disk/lvm-metadata.ts';
import { failureFrom, LVM, LVM_TWO_DISKS, planOf } from './configs.ts';

const MIB = 2 ** 20;

/** name, then for each segment: physical volume, first extent, extents. */
function rows({ volumeGroups }: DiskPlan): unknown[] {
  return volumeGroups.flatMap(({ logicalVolumes }) =>
    logicalVolumes.map(({ name, segments }) => [
      name,
      ...segments.map((one) => [one.physicalVolume, one.firstExtent, one.extents]),
    ]),
  );
}

test('planDisk() puts logical volumes behind each other on a physical one', () => {
  const plan = planOf(LVM, 512);
  assert.deepEqual(rows(plan), [
    ['lv_root', [0, 0, 28]],
    ['lv_var', [0, 28, 71]],
  ]);
  const [root, other] = plan.fileSystems;
  assert.deepEqual(
    [root?.offsetBytes, root?.sizeBytes, other?.offsetBytes, other?.sizeBytes],
    [10 * MIB, 112 * MIB, 122 * MIB, 284 * MIB],
  );
  assert.equal(root?.pieces, undefined);
});

test('planDisk() splits a volume only where no physical one has the room', () => {
  const plan = planOf(LVM_TWO_DISKS);
  // 62 MiB less 1 MiB, and 40 MiB less 1 MiB; 33 MiB are rounded down to 32.
  assert.deepEqual(rows(plan), [
    ['first', [0, 0, 32]],
    ['both', [0, 32, 29], [1, 0, 32]],
  ]);
  const both = plan.fileSystems.find(({ name }) => name === 'fs/both');
  assert.deepEqual(both?.pieces, [
    { image: 'image0', offsetBytes: 34 * MIB, sizeBytes: 29 * MIB },
    { image: 'data', offsetBytes: MIB, sizeBytes: 32 * MIB },
  ]);
  assert.equal(both?.sizeBytes, 61 * MIB);
});

test('planDisk() takes all forms of sizes', () => {
  const sized = (size: string): unknown => {
    const text = LVM.replace('extents: 23%VG', size);
    return rows(planOf(text.replace('extents: 57%VG', 'extents: 1'), 512))[0];
  };
  for (const [size, extents] of [
    ['size: 40MiB', 10],
    ['size: 43MiB', 10],
    ['size: 44MB', 10],
    ['extents: 7', 7],
    ['extents: 50%VG', 62],
    ['extents: 50%PVS', 62],
    ['extents: 50%FREE', 62],
    ['size: 8MiB, extents: 9', 2],
    ['extents: 7, type: linear', 7],
  ] as const) {
    assert.deepEqual(sized(size), ['lv_root', [0, 0, extents]], size);
  }
});

/** What is written instead of what, and the line and words of the problem. */
const WRONG: readonly (readonly [string, string, number, RegExp])[] = [
  ['base: ["pv"]', 'base: [nopv]', 14, /^Edge not defined: "nopv" -> "vg"$/m],
  [
    'base: vg, extents: 23%VG',
    'base: novg, extents: 1',
    16,
    /Edge not defined: "novg" -> "lv_root"/,
  ],
  ['base: root, options', 'base: noroot, options', 13, /^Edge not defined: "noroot" -> "pv"$/],
  ['name: lv_var', 'name: lv_root', 17, /^Duplicate node name: "lv_root"/],
  ['name: vg,', 'name: pv,', 14, /^Duplicate node name: "pv"/],
  ['base: ["pv"]', 'base: [root]', 14, /vg "vg" cannot lie on partition "root", only on pv/],
  [
    'base: vg, extents: 23%VG',
    'base: root, extents: 1',
    16,
    /lv "lv_root" cannot lie on partition/,
  ],
  ['pvs: [', 'pvs: [{name: pw, base: BSP}, ', 13, /pv "pw" is in no volume group/],
  ['pvs: [', 'pvs: [{name: pw, base: root}, ', 13, /"root" cannot carry both "pw" and "pv"/],
  ['base: ["pv"]', 'base: [pv, pv]', 14, /"pv" cannot carry both "vg" and "vg"/],
  ['extents: 23%VG', 'size: 23%', 16, /Key "size" .*"23%", expected .* "extents", such as 50%VG/],
  ['extents: 23%VG', 'extents: 101%VG', 16, /Key "extents" of lv "lv_root" is "101%VG"/],
  ['extents: 23%VG', 'extents: 1.5%VG', 16, /Key "extents" .* whole share/],
  ['extents: 23%VG', 'extents: 0', 16, /Key "extents"/],
  [', extents: 23%VG', '', 16, /Key "size" or "extents" is missing in lv "lv_root"/],
  ['extents: 23%VG', 'extents: 23%VG, type: thin', 16, /Key "type" .* "thin", expected "linear"/],
  [
    'extents: 23%VG',
    'extents: 2000',
    16,
    /^Logical volume "lv_root" does not fit in volume group "vg": 2000 extents of 4 MiB are asked for, 125 of 125 are free/,
  ],
  [
    'extents: 57%VG',
    'extents: 79%VG',
    17,
    /"lv_var" does not fit .* 98 extents of 4 MiB are asked for, 97 of 125 are free/,
  ],
  ['extents: 23%VG', 'size: 1MiB', 16, /^Logical volume "lv_root" has no size/],
  [
    'size: 100%}',
    'size: 4MiB}',
    13,
    /^Physical volume "pv" on "root" has no room for an extent: 4 MiB/,
  ],
  ['size: 100%}', 'size: 9GiB}', 4, /^The partitions of "image0" do not fit/],
  ['lv_var', '-var', 17, /LVM takes no "name" such as "-var"/],
  ['lv_var', 'snapshot1', 17, /LVM keeps names such as "snapshot1"/],
  [
    'options: ["--force"]}]\n    vgs',
    'options: [--uuid x]}]\n    vgs',
    13,
    /Option "--uuid" of pv "pv" cannot/,
  ],
  [
    'base: ["pv"], options: ["--force"]',
    'base: pv, options: [-s 100k]',
    14,
    /Extent size .* "100k"/,
  ],
  ['extents: 23%VG', 'extents: 1, options: [-i2]', 16, /Option "-i2" of lv "lv_root" cannot/],
  ['extents: 23%VG', 'extents: 1, options: [--addtag a*b]', 16, /Tag "a\*b" .* unusable/],
];

test('what is wrong with volumes is told in a sentence, with its line', () => {
  for (const [from, to, line, message] of WRONG) {
    const text = LVM.replaceAll(from, to);
    assert.notEqual(text, LVM, from);
    const failure = failureFrom(() => planOf(text, 512));
    assert.ok(failure.kind === 'config', to);
    assert.match(failure.message, message);
    assert.deepEqual([failure.at?.file, failure.at?.line], ['disk.yaml', line], to);
  }
});

test('lvmWrites() describes the group on each of its physical volumes, with the same bytes each time', () => {
  const [group] = planOf(LVM_TWO_DISKS).volumeGroups;
  assert.ok(group !== undefined);
  const writes = lvmWrites(group, 1_700_000_000);
  assert.deepEqual(
    writes.map(({ image, offsetBytes }) => [image, offsetBytes]),
    [
      ['image0', MIB + 512],
      ['image0', MIB + 4096],
      ['data', 512],
      ['data', 4096],
    ],
  );
  const [, first, , second] = writes;
  assert.deepEqual(first?.bytes, second?.bytes);
  assert.deepEqual(lvmWrites(group, 1_700_000_000), writes);
  const text = Buffer.from(first?.bytes.subarray(512) ?? []).toString();
  assert.match(text, /^vg-0 \{\nid = "\w{6}(-\w{4}){5}-\w{6}"\n/);
  assert.match(text, /\ntags = \["here"\]\ncreation_time = 1700000000\n/);
});
