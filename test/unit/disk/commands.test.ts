import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mke2fsArgv, mkfsVfatArgv, rootModeArgv } from '../../../src/disk/commands.ts';
import type { FileSystemLayout } from '../../../src/disk/layout.ts';
import { nestedMountPoints } from '../../../src/disk/subtree.ts';
import { EFI, planOf } from './configs.ts';

function fileSystem(label: string): FileSystemLayout {
  const fs = planOf(EFI).fileSystems.find((one) => one.label === label);
  assert.ok(fs !== undefined);
  return fs;
}

test('mke2fsArgv() merges extended options into one, the given ones last', () => {
  const fs = {
    ...fileSystem('cloudimg-rootfs'),
    options: ['-E', 'resize=9', '-m', '0', '-Ediscard'],
  };
  const argv = mke2fsArgv(fs, { file: 'f', tree: 't', rootOwner: { uid: 1, gid: 2 } });
  const extended = argv.filter((_, index) => argv[index - 1] === '-E');
  assert.deepEqual(extended, [
    `offset=${559 * 2 ** 20},hash_seed=${fs.hashSeed},lazy_itable_init=1,lazy_journal_init=1,root_owner=1:2,resize=9,discard`,
  ]);
  assert.deepEqual(argv.slice(0, 7), ['mke2fs', '-q', '-F', '-t', 'ext4', '-m', '0']);
  assert.deepEqual(argv.slice(-4), ['-d', 't', 'f', `${1488 * 1024}K`]);
});

test('mke2fsArgv() uses blocks no smaller than the sectors', () => {
  const fs = { ...fileSystem('cloudimg-rootfs'), sectorBytes: 4096 };
  assert.ok(mke2fsArgv(fs, { file: 'f' }).join(' ').includes(' -b 4096 '));
  const own = { ...fs, options: ['-b', '8192'] };
  assert.ok(!mke2fsArgv(own, { file: 'f' }).includes('4096'));
});

test('mkfsVfatArgv() makes an EFI system partition FAT32 where that fits', () => {
  const esp = fileSystem('MKFS_ESP');
  const other = { ...esp, efiSystem: false };
  for (const [fs, sizeMiB, sectorBytes, kind] of [
    [esp, 550, 512, '-F 32 -s 8'],
    [esp, 100, 512, '-F 32 -s 1'],
    [esp, 34, 512, '-F 32 -s 1'],
    [esp, 20, 512, '-F 16'],
    [esp, 500, 4096, '-F 32 -s 1'],
    [esp, 100, 4096, '-F 16 -s 1'],
    [other, 100, 512, '-F 16'],
    [other, 4, 512, '-F 12'],
    [other, 4, 4096, '-F 12 -s 1'],
    [other, 500, 4096, '-F 32 -s 1'],
    [other, 600, 512, '-F 32 -s 8'],
    [other, 9000, 512, '-F 32 -s 16'],
    [other, 40_000, 4096, '-F 32 -s 8'],
  ] as const) {
    const argv = mkfsVfatArgv({ ...fs, sizeBytes: sizeMiB * 2 ** 20, sectorBytes }, 'f').join(' ');
    assert.ok(argv.startsWith(`mkfs.vfat ${kind} --invariant -n MKFS_ESP `), argv);
  }
  const own = mkfsVfatArgv({ ...esp, options: ['-F', '16'] }, 'f').join(' ');
  assert.match(own, /^mkfs.vfat -F 16 --invariant/);
});

test('rootModeArgv() sets the type of the inode along with the mode', () => {
  const argv = rootModeArgv(fileSystem('cloudimg-rootfs'), 'f', 0o1777);
  assert.ok(argv.includes('set_inode_field <2> mode 041777'));
});

test('nestedMountPoints() names the outermost ones only', () => {
  const all = ['/', '/boot', '/boot/efi', '/var', '/var2', '/var/log'];
  assert.deepEqual(nestedMountPoints('/', all), ['/boot', '/var', '/var2']);
  assert.deepEqual(nestedMountPoints('/boot', all), ['/boot/efi']);
  assert.deepEqual(nestedMountPoints('/var', all), ['/var/log']);
  assert.deepEqual(nestedMountPoints('/var2', all), []);
});
