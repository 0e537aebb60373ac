import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../src/disk/parse-config.ts';
import { EFI, failureFrom, GPT, LVM, LVM_TWO_DISKS, MBR, SEPARATE, WHOLE } from './configs.ts';

test('parseConfig() emits children before their parent and names them after it', () => {
  const names = (text: string): string[] => parseConfig(text, 'x').nodes.map(({ name }) => name);
  assert.deepEqual(names(MBR), [
    'image0',
    'fstab_mount_mkfs_root',
    'mount_mkfs_root',
    'mkfs_root',
    'partitioning_image0',
  ]);
  assert.deepEqual(names(WHOLE), [
    'fstab_mount_mkfs_root',
    'mount_mkfs_root',
    'mkfs_root',
    'image0',
  ]);
  assert.deepEqual(names(EFI).slice(1, 4), ['fstab_mount_mkfs_ESP', 'mount_mkfs_ESP', 'mkfs_ESP']);
});

test('parseConfig() gives tree and graph notation the same nodes', () => {
  const graph = `
- local_loop: {name: image0}
- fstab: {base: mount_mkfs_root, fsck-passno: 1, name: fstab_mount_mkfs_root}
- mount: {base: mkfs_root, name: mount_mkfs_root, mount_point: /}
- mkfs: {base: root, name: mkfs_root}
- partitioning: {base: image0, label: mbr, partitions: [{name: root, flags: [boot, primary], size: 100%}]}
`;
  const bare = (text: string): unknown =>
    JSON.parse(
      JSON.stringify(parseConfig(text, 'x').nodes, (key, value) => (key === 'at' ? null : value)),
    );
  assert.deepEqual(bare(graph), bare(MBR));
});

test('parseConfig() takes a type as text and as number, and keeps it as written', () => {
  for (const written of ['0x83', "'0x83'", '83', '"83"']) {
    const [, table] = parseConfig(
      `- local_loop: {name: a}\n- partitioning: {base: a, label: mbr, partitions: [{name: p, size: 1G, type: ${written}}]}`,
      'x',
    ).nodes;
    assert.ok(table?.kind === 'partitioning');
    assert.equal(table.partitions[0]?.type, written.replaceAll(/['"]/g, ''));
  }
});

test('parseConfig() follows aliases and merge keys', () => {
  const { nodes } = parseConfig(
    `
- local_loop: {name: a, mkfs: &fs {type: ext4, label: one}}
- local_loop: {name: b, mkfs: {<<: *fs, label: two}}
`,
    'x',
  );
  assert.deepEqual(
    nodes.flatMap((node) => (node.kind === 'mkfs' ? [[node.base, node.type, node.label]] : [])),
    [
      ['a', 'ext4', 'one'],
      ['b', 'ext4', 'two'],
    ],
  );
});

test('parseConfig() knows every element configuration without a warning', () => {
  for (const text of [MBR, GPT, EFI, WHOLE, SEPARATE, LVM, LVM_TWO_DISKS]) {
    assert.deepEqual(parseConfig(text, 'x').warnings, []);
  }
});

test('parseConfig() warns of a key that no plugin knows', () => {
  assert.deepEqual(parseConfig('- local_loop:\n    name: a\n    sise: 1G\n', 'd.yaml').warnings, [
    'd.yaml:3: Unknown key "sise" of local_loop "a"',
  ]);
});

test('parseConfig() parses lvm', () => {
  const lvm = parseConfig(LVM, 'x').nodes.find(({ kind }) => kind === 'lvm');
  assert.ok(lvm?.kind === 'lvm');
  assert.deepEqual(
    lvm.volumes.map(({ kind, name, bases }) => [kind, name, ...bases]),
    [
      ['pv', 'pv', 'root'],
      ['vg', 'vg', 'pv'],
      ['lv', 'lv_root', 'vg'],
      ['lv', 'lv_var', 'vg'],
    ],
  );
});

/** Text, the line and column of the problem, and what its message must name. */
const WRONG: readonly (readonly [string, number, number, RegExp])[] = [
  ['a: b', 1, 1, /must be a list/],
  ['- local_loop', 1, 3, /not a map/],
  ['- local_loop: {name: a}\n  mkfs: {base: a}', 1, 3, /single key, found "local_loop", "mkfs"/],
  ['- loop: {name: a}', 1, 3, /"loop" is not a plugin/],
  ['- local_loop: {name: a/b}', 1, 22, /"name" of local_loop takes letters/],
  ['- local_loop: {size: 1G}', 1, 3, /"name" is missing in local_loop/],
  ['- local_loop: {name: a, size: 1Gib}', 1, 31, /Key "size" .*"1Gib", expected a size/],
  ['- local_loop: {name: a, block_size: 513}', 1, 37, /"block_size"/],
  ['- mkfs: {type: ext4}', 1, 3, /"base" is missing in mkfs/],
  ['- mkfs: {base: a, uuid: nope}', 1, 25, /"uuid"/],
  ['- mount: {base: a}', 1, 3, /"mount_point" is missing/],
  ['- fstab:\n    base: a\n    fsck-passno: one', 3, 18, /"fsck-passno"/],
  ['- mkfs: {base: a, type: [ext4]}', 1, 25, /"type" .* must be a single value/],
  ['- partitioning: {base: a, label: bsd, partitions: [{name: p, size: 1G}]}', 1, 34, /"label"/],
  ['- partitioning: {base: a, label: mbr}', 1, 3, /"partitions" is missing/],
  ['- partitioning: {base: a, label: mbr, partitions: [{name: p}]}', 1, 52, /"size" is missing/],
  ['- partitioning: {base: a, label: mbr, partitions: [{name: p, size: 101%}]}', 1, 68, /"101%"/],
  [
    '- partitioning: {base: a, label: mbr, partitions: [{name: p, size: 1G, flags: [root]}]}',
    1,
    79,
    /"root"/,
  ],
  ['- local_loop: [a]', 1, 15, /Value of "local_loop" is not a map/],
  ['- partitioning: {base: a, label: mbr, partitions: {p: q}}', 1, 51, /must be a list/],
  [
    '- partitioning: {base: a, label: mbr, partitions: [p]}',
    1,
    52,
    /A partition in .* is not a map/,
  ],
  [
    '- partitioning: {base: a, label: mbr, partitions: [{name: p, size: 1G, flags: [[boot]]}]}',
    1,
    79,
    /Flag of partition "p" is a list, expected "boot" or "primary"/,
  ],
  [
    '- lvm: {name: l, pvs: [{name: p, base: a, options: [[x]]}], vgs: [], lvs: []}',
    1,
    52,
    /"options" of pv "p" must be a list of single values/,
  ],
  ['- local_loop: {name: a', 1, 23, /Cannot parse YAML/],
  ['- local_loop: &a {name: b, x: [*a]}', 1, 32, /contains itself/],
  ['- local_loop: *a', 1, 15, /has no anchor/],
  ['- local_loop: {name: a}\n---\n- b', 2, 1, /more than one document/],
  ['- {a: b, a: c}', 1, 10, /Map keys must be unique/],
];

test('parseConfig() points at what is wrong', () => {
  for (const [text, line, column, message] of WRONG) {
    const failure = failureFrom(() => parseConfig(text, 'd.yaml'));
    assert.ok(failure.kind === 'config', text);
    assert.deepEqual(failure.at, { file: 'd.yaml', line, column }, text);
    assert.match(failure.message, message);
  }
});

test('parseConfig() tells every problem at once, in the order of the lines', () => {
  const text = '- local_loop:\n    size: 1\n- mkfs:\n    type: ext4\n- nonsense: {}\n';
  const failure = failureFrom(() => parseConfig(text, 'd.yaml'));
  const lines = failure.message.split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? '', /^Key "name" is missing in local_loop/);
  assert.match(lines[1] ?? '', /^ {2}d\.yaml:3:3: Key "base"/);
  assert.match(lines[2] ?? '', /^ {2}d\.yaml:5:3: "nonsense" is not a plugin/);
});

test('parseConfig() refuses an empty configuration', () => {
  for (const text of ['', '# nothing\n', '[]']) {
    assert.match(failureFrom(() => parseConfig(text, 'd.yaml')).message, /is empty/);
  }
});
