import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeDisk, diskUuids } from '../../../src/disk/describe.ts';
import { fstabText } from '../../../src/disk/fstab.ts';
import { mountedFileSystem, parseDiskGraph } from '../../../src/disk/graph.ts';
import { identifiersFrom } from '../../../src/plan/identifiers.ts';
import { EFI, failureFrom, graphOf, LVM, MBR, SEPARATE, WHOLE } from './configs.ts';

test('buildGraph() gives the order that upstream creates in', () => {
  assert.deepEqual(graphOf(EFI).order, [
    'image0',
    'ESP',
    'mkfs_ESP',
    'BSP',
    'root',
    'mkfs_root',
    'mount_mkfs_root',
    'mount_mkfs_ESP',
    'fstab_mount_mkfs_root',
    'fstab_mount_mkfs_ESP',
  ]);
});

test('buildGraph() puts each node after what it lies on', () => {
  const { order } = graphOf(LVM);
  const chain = ['image0', 'BSP', 'root', 'lvm', 'pv', 'vg', 'lv_root', 'fs_root', 'mount_fs_root'];
  const positions = chain.map((name) => order.indexOf(name));
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
  );
  assert.ok(!positions.includes(-1));
});

test('buildGraph() fills in what the root file system lacks, whatever its name', () => {
  const text = WHOLE.replace('mkfs_root', 'system');
  const { root } = parseDiskGraph(text, 'x', { rootFsType: 'ext3', rootLabel: '1234' }).graph;
  assert.deepEqual([root.name, root.type, root.label], ['system', 'ext3', '1234']);
  assert.equal(graphOf(text).root.label, 'cloudimg-rootfs');
  assert.equal(parseDiskGraph(text, 'x', { rootFsType: 'xfs' }).graph.root.label, 'img-rootfs');
});

test('buildGraph() lets the configuration win over the parameters', () => {
  const text = WHOLE.replace('name: mkfs_root', 'name: r\n      type: ext2\n      label: mine');
  const { root } = parseDiskGraph(text, 'x', { rootFsType: 'ext4', rootLabel: 'other' }).graph;
  assert.deepEqual([root.type, root.label], ['ext2', 'mine']);
});

const two = (first: string, second: string): string =>
  `${WHOLE}- local_loop: {name: b, mkfs: {type: ext4, ${first}}}\n- local_loop: {name: c, mkfs: {type: ext4, ${second}}}\n`;

const WRONG: readonly (readonly [string, RegExp])[] = [
  [`${WHOLE}- local_loop: {name: image0}`, /Duplicate node name: "image0"/],
  [`${WHOLE}- mkfs: {base: nowhere, type: ext4}`, /Edge not defined: "nowhere" -> "mkfs_nowhere"/],
  [
    `${WHOLE}- mkfs: {name: x, base: y, type: ext4}\n- mount: {name: y, base: x, mount_point: /x}`,
    /in a cycle: "x", "y"/,
  ],
  ['- local_loop: {name: a, mkfs: {type: ext4}}', /No file system is mounted at "\/"/],
  [two('label: same', 'label: same'), /Label "same" is used by both "mkfs_b" and "mkfs_c"/],
  [two('label: x1234567890123456', 'label: b'), /too long: 17 bytes, ext4 takes 16/],
  [two("label: 'a\"b'", 'label: b'), /unusable character/],
  [two('mount: {mount_point: /x}', 'mount: {mount_point: /x/}'), /"\/x" is used by both/],
  [two('mount: {mount_point: x}', 'label: b'), /"x" of "mount_mkfs_b" is no absolute path/],
  [two('mount: {mount_point: /a/../b}', 'label: b'), /no absolute path/],
  [`${WHOLE}- local_loop: {name: b, mkfs: {type: zfs}}`, /Unknown file system type "zfs"/],
  [`${WHOLE}- local_loop: {name: b, mkfs: {label: b}}`, /Key "type" is missing in mkfs "mkfs_b"/],
  [
    `${WHOLE}- mount: {base: image0, mount_point: /x}`,
    /mount "mount_image0" cannot lie on local_loop/,
  ],
  [`${WHOLE}- mkfs: {base: image0, type: ext4, name: z}`, /"image0" cannot carry both/],
  [
    `${LVM}- mkfs: {name: z, base: root, type: ext4}`,
    /"root" cannot carry both "(pv|z)" and "(pv|z)"/,
  ],
  [WHOLE.replace('name: mkfs_root', 'type: swap'), /cannot be "swap"|No file system/],
];

test('buildGraph() refuses what does not go together', () => {
  for (const [text, message] of WRONG) {
    const failure = failureFrom(() => graphOf(text));
    assert.equal(failure.kind, 'config');
    assert.match(failure.message, message);
    assert.ok(failure.kind === 'config' && failure.at?.file === 'disk.yaml', failure.message);
  }
});

test('buildGraph() says what to do about what is not there', () => {
  const nowhere = failureFrom(() => graphOf(`${WHOLE}- mkfs: {base: nowhere, type: ext4}`));
  assert.match(
    nowhere.hint ?? '',
    /Nothing is called "nowhere": see the key "base" of "mkfs_nowhere"/,
  );
  const zfs = failureFrom(() => graphOf(`${WHOLE}- local_loop: {name: b, mkfs: {type: zfs}}`));
  assert.match(zfs.hint ?? '', /The types are ext2, ext3, ext4/);
  const plugin = failureFrom(() => graphOf('- loop: {name: a}'));
  assert.match(plugin.hint ?? '', /The plugins are local_loop/);
});

test('mountedFileSystem() finds what is filled through a mount', () => {
  const xfs = graphOf(WHOLE.replace('name: mkfs', 'type: xfs\n      name: mkfs'));
  assert.equal(mountedFileSystem(xfs)?.type, 'xfs');
  assert.equal(mountedFileSystem(graphOf(SEPARATE)), undefined);
});

test('describeDisk() tells what hooks ask for before the disk exists', () => {
  const ids = identifiersFrom('seed');
  assert.deepEqual(diskUuids(graphOf(SEPARATE), ids), {
    rootUuid: ids('file-system mkfs_root'),
    bootUuid: ids('file-system mkfs_boot'),
  });
  assert.equal(diskUuids(graphOf(WHOLE), ids).bootUuid, '');
  assert.deepEqual(describeDisk(graphOf(SEPARATE)), {
    rootLabel: 'cloudimg-rootfs',
    rootFsType: 'ext4',
    bootLabel: 'BOOT',
    mountPoints: ['/boot', '/', '/home'],
    diskLabel: 'mbr',
  });
  const whole = describeDisk(graphOf(WHOLE));
  assert.deepEqual([whole.bootLabel, whole.diskLabel], ['', 'none']);
  assert.equal(describeDisk(graphOf(LVM)).diskLabel, 'gpt');
  assert.deepEqual(describeDisk(graphOf(EFI)).mountPoints, ['/boot/efi', '/']);
});

test('fstabText() lists mounts with an fstab node, parents first', () => {
  assert.equal(fstabText(graphOf(MBR)), 'LABEL=cloudimg-rootfs / ext4 defaults 0 1\n');
  assert.equal(
    fstabText(graphOf(EFI)),
    'LABEL=cloudimg-rootfs / ext4 defaults 0 1\nLABEL=MKFS_ESP /boot/efi vfat defaults 0 2\n',
  );
  assert.deepEqual(fstabText(graphOf(SEPARATE)).split('\n').slice(0, -1), [
    'LABEL=cloudimg-rootfs / ext4 defaults 0 1',
    'LABEL=BOOT /boot ext4 defaults 0 2',
    'LABEL=homes /home ext2 rw,nodev 0 2',
    'LABEL=swap0 none swap sw 0 0',
  ]);
});

test('fstabText() is empty without fstab nodes', () => {
  assert.equal(fstabText(graphOf(WHOLE.replace('fstab: {fsck-passno: 1}', ''))), '');
});
