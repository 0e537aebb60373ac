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
  const fs = fileSystem('MKFS_ESP');
  const start = (sizeMiB: number): string =>
    mkfsVfatArgv({ ...fs, sizeBytes: sizeMiB * 2 ** 20 }, 'f')
      .slice(1, 6)
      .join(' ');
  assert.equal(start(550), '-F 32 --invariant -n MKFS_ESP');
  assert.equal(start(100), '-F 32 -s 1 --invariant');
  assert.match(start(20), /^--invariant -n MKFS_ESP/);
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
