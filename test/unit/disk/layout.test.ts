import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { DiskPlan } from '../../../src/disk/layout.ts';
import { EFI, failureFrom, GPT, MBR, planOf, SEPARATE, WHOLE } from './configs.ts';

/** index, start in MiB, size in MiB, type, role. */
function rows(plan: DiskPlan): unknown[] {
  return plan.images.flatMap(({ sectorBytes, partitions }) =>
    partitions.map(({ index, startSector, sectors, type, role }) => {
      const mib = (count: number): number => (count * sectorBytes) / 2 ** 20;
      return [index, mib(startSector), mib(sectors), type.slice(0, 8), role];
    }),
  );
}

test('planDisk() lays out the element configurations as upstream does', () => {
  assert.deepEqual(rows(planOf(MBR)), [[1, 1, 2046, '83', 'primary']]);
  assert.deepEqual(rows(planOf(GPT)), [
    [1, 1, 8, '21686148', 'primary'],
    [2, 9, 2038, '0FC63DAF', 'primary'],
  ]);
  const efi = [
    [1, 1, 550, 'C12A7328', 'primary'],
    [2, 551, 8, '21686148', 'primary'],
    [3, 559, 1488, '0FC63DAF', 'primary'],
  ];
  assert.deepEqual(rows(planOf(EFI)), efi);
  assert.deepEqual(rows(planOf(EFI, 2048, 4096)), efi);
  assert.deepEqual(rows(planOf(WHOLE)), []);
});

test('planDisk() puts logical partitions in one extended one, with gaps for their EBRs', () => {
  assert.deepEqual(rows(planOf(SEPARATE, 131)), [
    [1, 1, 24, '83', 'primary'],
    [2, 25, 4, '82', 'primary'],
    [3, 29, 102, 'f', 'extended'],
    [5, 30, 124108 / 2048, '83', 'logical'],
    [6, 92, 39, '83', 'logical'],
  ]);
});

test('planDisk() says where each file system lies', () => {
  const [fs] = planOf(MBR).fileSystems;
  assert.deepEqual(
    [fs?.image, fs?.offsetBytes, fs?.sizeBytes, fs?.mountPoint, fs?.options],
    ['image0', 2 ** 20, 2046 * 2 ** 20, '/', ['-i', '4096', '-J', 'size=64']],
  );
  const [whole] = planOf(WHOLE, 100).fileSystems;
  assert.deepEqual([whole?.offsetBytes, whole?.sizeBytes], [0, 100 * 2 ** 20]);
  assert.deepEqual(whole?.options, ['-i', '4096', '-J', 'size=48']);
  assert.equal(planOf(EFI).fileSystems.find(({ label }) => label === 'MKFS_ESP')?.efiSystem, true);
});

test('planDisk() gives the same plan for the same identifiers', () => {
  assert.deepEqual(planOf(EFI), planOf(EFI));
});

test('planDisk() takes the size and the sector size of the configuration', () => {
  const [image] = planOf(
    MBR.replace('name: image0', 'name: image0\n    size: 100MB\n    block_size: 4096'),
  ).images;
  assert.deepEqual([image?.sizeBytes, image?.sectorBytes], [100_003_840, 4096]);
});

test('partitions never overlap, start aligned and lie inside the disk', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  for (let round = 0; round < 300; round++) {
    const label = random(2) === 0 ? 'mbr' : 'gpt';
    const primaries = random(4);
    const parts = Array.from({ length: 1 + random(6) }, (_, index) => {
      const size = random(2) === 0 ? `${1 + random(40_000)}KB` : `${1 + random(90)}%`;
      const flags = label === 'mbr' && index < primaries ? 'flags: [primary], ' : '';
      return `      - {name: p${index}, ${flags}size: ${size}}`;
    });
    const sectorBytes = random(2) === 0 ? 512 : 4096;
    const text = `- local_loop: {name: image0}
- partitioning:
    base: image0
    label: ${label}
    align: ${['1MiB', '64KiB', '4MiB'][random(3)]}
    partitions:
${parts.join('\n')}
- local_loop: {name: other, mkfs: {type: ext4, mount: {mount_point: /}}}
`;
    let plan: DiskPlan;
    try {
      plan = planOf(text, 300 + random(500), sectorBytes);
    } catch {
      // "No size" is a right answer to one percent of nothing.
      continue;
    }
    const [image] = plan.images;
    assert.ok(image !== undefined);
    const align = label === 'gpt' ? 2 ** 20 : 64 * 1024;
    let nextFree = 1;
    for (const one of image.partitions.filter(({ role }) => role !== 'extended')) {
      assert.ok(one.sectors > 0 && Number.isInteger(one.sectors), text);
      assert.equal((one.startSector * sectorBytes) % align, 0, text);
      assert.ok(one.startSector >= nextFree, text);
      nextFree = one.startSector + one.sectors;
    }
    assert.ok(nextFree * sectorBytes <= image.sizeBytes - (label === 'gpt' ? 34 * sectorBytes : 0));
  }
});

const table = (label: string, ...partitions: string[]): string =>
  `- local_loop: {name: image0}
- partitioning:
    base: image0
    label: ${label}
    partitions:
${partitions.map((one) => `      - {${one}}`).join('\n')}
- local_loop: {name: other, mkfs: {type: ext4, mount: {mount_point: /}}}
`;

const WRONG: readonly (readonly [string, RegExp])[] = [
  [
    table('mbr', 'name: a, size: 3GiB, flags: [primary]'),
    /no room for "a" in the 2048 MiB of the disk, 3073 MiB are needed/,
  ],
  [
    table(
      'mbr',
      'name: a, size: 2047MiB, flags: [primary]',
      'name: b, size: 100%, flags: [primary]',
    ),
    /no room for "b" .* 2050 MiB are needed/,
  ],
  [table('gpt', 'name: a, size: 2047MiB'), /no room for "a" .* 2049 MiB are needed/],
  [table('gpt', 'name: a, size: 1GiB, flags: [primary]'), /Flag "primary" .* label "gpt"/],
  [table('gpt', 'name: a, size: 1GiB, type: 0x83'), /Type "0x83" .* expected a code such as 8300/],
  [table('mbr', 'name: a, size: 1GiB, type: EF00'), /Type "EF00" .* expected a hexadecimal/],
  [table('mbr', 'name: a, size: 0B'), /Partition "a" has no size/],
  [
    table('mbr', 'name: a, size: 1MiB', 'name: b, size: 1MiB, flags: [primary]'),
    /Primary partition "b" follows a logical one/,
  ],
  [
    table('mbr', ...[1, 2, 3, 4, 5].map((n) => `name: p${n}, size: 1MiB, flags: [primary]`)),
    /has 5 primary and extended partitions, mbr takes 4/,
  ],
  [table('gpt', "name: 'a\"b', size: 1MiB"), /cannot hold the partition name/],
];

test('planDisk() refuses a disk whose sectors the table cannot number', () => {
  assert.match(
    failureFrom(() => planOf(MBR, 3 * 2 ** 20)).message,
    /^Disk "image0" is too large for label "mbr"/,
  );
});

test('planDisk() refuses what cannot be laid out', () => {
  for (const [text, message] of WRONG) {
    const failure = failureFrom(() => planOf(text));
    assert.equal(failure.kind, 'config');
    assert.match(failure.message, message);
  }
});

test('planDisk() names a size that is enough, and hardly more', () => {
  for (const text of [
    table('mbr', 'name: a, size: 3GiB, flags: [primary]'),
    table(
      'mbr',
      'name: a, size: 2047MiB, flags: [primary]',
      'name: b, size: 100%, flags: [primary]',
    ),
    table('mbr', 'name: a, size: 2047MiB', 'name: b, size: 100%'),
    table('gpt', 'name: a, size: 2047MiB', 'name: b, size: 100%'),
    table('gpt', 'name: a, size: 3000MiB'),
  ]) {
    const { message } = failureFrom(() => planOf(text));
    const needed = Number(/(\d+) MiB are needed/.exec(message)?.[1]);
    planOf(text, needed);
    assert.equal(failureFrom(() => planOf(text, needed - 2)).kind, 'config');
  }
});

test('planDisk() says which image size would do', () => {
  const failure = failureFrom(() => planOf(EFI, 500));
  assert.match(failure.hint ?? '', /--image-size 1 /);
  planOf(EFI, 1024);
});

test('the layout that docs/elements.md shows is one', () => {
  const page = new URL('../../../docs/elements.md', import.meta.url);
  const shown = /\n\n((?: {4}.*\n)*? {4}- local_loop: [\s\S]*?\n)\n\S/.exec(
    readFileSync(page, 'utf8'),
  );
  const text = (shown?.[1] ?? '').replaceAll(/^ {4}/gm, '');
  const found = planOf(text, 8192).fileSystems.map(
    ({ type, mountPoint }) => `${mountPoint} ${type}`,
  );
  assert.deepEqual(found.sort(), ['/ ext4', '/boot ext4', '/var ext4', 'undefined swap']);
});
