/** Disks written by us, judged by other people's tools. Needs root: owners and device nodes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { DiskPlan, FileSystemLayout } from '../../src/disk/layout.ts';
import { type WrittenDisk, writeDisk } from '../../src/disk/write.ts';
import type { Context } from '../../src/events/event.ts';
import { Failed } from '../../src/events/failure.ts';
import { runTool } from '../../src/sandbox/process.ts';
import { EFI, GPT, MBR, planOf, SEPARATE, WHOLE } from '../unit/disk/configs.ts';

let top = '';
let tree = '';
const EPOCH_SECONDS = 1_700_000_000;

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
};

beforeEach(() => {
  top = mkdtempSync(path.join(tmpdir(), 'disk-'));
  tree = path.join(top, 'tree');
  mkdirSync(path.join(top, 'work'));
});

afterEach(() => {
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  assert.ok(!mounts.includes(top), 'a mount was left');
  assert.deepEqual(readdirSync(path.join(top, 'work')), [], 'a temporary file was left');
  rmSync(top, { recursive: true });
});

function run(file: string, ...args: string[]): string {
  return execFileSync(file, args, {
    encoding: 'utf8',
    env: context.toolEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** A small root file system with one of everything that is easily lost. */
function makeTree(): void {
  for (const directory of ['', 'etc', 'usr/bin', 'dev', 'boot', 'tmp', 'home']) {
    mkdirSync(path.join(tree, directory), { recursive: true });
  }
  const put = (name: string, text: string, [owner, mode]: readonly [number, number]): void => {
    const file = path.join(tree, name);
    writeFileSync(file, text);
    chownSync(file, owner, owner + 1);
    chmodSync(file, mode);
  };
  put('etc/passwd', 'root:x:0:0::/root:/bin/sh\n', [0, 0o644]);
  put('etc/owned', 'owned\n', [1234, 0o4750]);
  put('.hidden', 'hidden\n', [0, 0o600]);
  put('usr/bin/ping', 'ping\n', [0, 0o755]);
  put('boot/vmlinuz', 'kernel\n', [0, 0o644]);
  linkSync(path.join(tree, 'etc/owned'), path.join(tree, 'etc/linked'));
  symlinkSync('passwd', path.join(tree, 'etc/link'));
  run('mknod', path.join(tree, 'dev/null'), 'c', '1', '3');
  run('setcap', 'cap_net_raw+ep', path.join(tree, 'usr/bin/ping'));
  chmodSync(path.join(tree, 'tmp'), 0o1777);
}

async function write(
  plan: DiskPlan,
  name = 'image0.raw',
): Promise<{ file: string; written: WrittenDisk }> {
  const file = path.join(top, name);
  const written = await writeDisk(
    plan,
    {
      tree,
      files: new Map(
        plan.images.map((image, index) => [image.name, index === 0 ? file : `${file}.${index}`]),
      ),
      workDir: path.join(top, 'work'),
      sourceDateEpoch: EPOCH_SECONDS,
    },
    context,
  );
  return { file, written };
}

/** The file system as a file of its own. */
function extract(file: string, fs: FileSystemLayout | undefined): string {
  assert.ok(fs !== undefined);
  const out = path.join(top, `${fs.name}.fs`);
  run(
    'dd',
    `if=${file}`,
    `of=${out}`,
    'bs=64K',
    'iflag=skip_bytes,count_bytes',
    `skip=${fs.offsetBytes}`,
    `count=${fs.sizeBytes}`,
    'conv=sparse',
    'status=none',
  );
  return out;
}

function named(plan: DiskPlan, name: string): FileSystemLayout | undefined {
  return plan.fileSystems.find((fs) => fs.name === name);
}

function debugfs(fs: string, request: string): string {
  return run('debugfs', '-R', request, fs);
}

function checkTable(plan: DiskPlan, file: string): void {
  const [image] = plan.images;
  assert.ok(image !== undefined);
  const read = JSON.parse(run('sfdisk', '--json', file)) as {
    partitiontable: {
      label: string;
      id: string;
      partitions: { node: string; start: number; size: number; type: string; bootable?: boolean }[];
    };
  };
  const { label, id, partitions } = read.partitiontable;
  assert.equal(label, image.label === 'mbr' ? 'dos' : image.label);
  assert.equal(id.toLowerCase(), image.diskId);
  assert.deepEqual(
    partitions.map((one) => [
      Number(one.node.slice(file.length)),
      one.start,
      one.size,
      one.type,
      one.bootable ?? false,
    ]),
    image.partitions.map((one) => [
      one.index,
      one.startSector,
      one.sectors,
      one.type,
      one.bootable,
    ]),
  );
  assert.match(run('sfdisk', '--verify', file), /No errors detected/);
}

test('an MBR disk holds the whole tree, as it was', async () => {
  makeTree();
  const plan = planOf(MBR, 120);
  const { file, written } = await write(plan);
  assert.equal(written.bootCode, false);
  checkTable(plan, file);
  assert.equal(statSync(file).size, 120 * 2 ** 20);
  assert.ok(statSync(file).blocks * 512 < 20 * 2 ** 20, 'the file is not sparse');
  const fs = extract(file, named(plan, 'mkfs_root'));
  run('e2fsck', '-fn', fs);
  assert.equal(debugfs(fs, 'cat /etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
  assert.equal(debugfs(fs, 'cat /.hidden'), 'hidden\n');
  assert.match(
    debugfs(fs, 'stat /etc/owned'),
    /Mode: {2}04750 [\s\S]*User: {2}1234 {3}Group: {2}1235 [\s\S]*Links: 2 /,
  );
  const inode = (name: string): string | undefined =>
    /Inode: (\d+)/.exec(debugfs(fs, `stat ${name}`))?.[1];
  assert.equal(inode('/etc/owned'), inode('/etc/linked'));
  assert.match(debugfs(fs, 'stat /etc/link'), /Fast link dest: "passwd"/);
  assert.match(
    debugfs(fs, 'stat /dev/null'),
    /Type: character special[\s\S]*major\/minor number: 01:03/,
  );
  assert.match(debugfs(fs, 'stat /usr/bin/ping'), /security\.capability \(20\)/);
  assert.match(debugfs(fs, 'stat /tmp'), /Mode: {2}01777/);
  assert.match(run('dumpe2fs', '-h', fs), /Filesystem volume name: {3}cloudimg-rootfs/);
  assert.match(
    run('dumpe2fs', '-h', fs),
    new RegExp(`Filesystem UUID: +${plan.fileSystems[0]?.uuid}`),
  );
  assert.match(
    run('dumpe2fs', '-h', fs),
    new RegExp(`Directory Hash Seed: +${plan.fileSystems[0]?.hashSeed}`),
  );
});

test('a disk that is one file system needs no partition table', async () => {
  makeTree();
  const { file } = await write(planOf(WHOLE, 64));
  run('e2fsck', '-fn', file);
  assert.equal(debugfs(file, 'cat /etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
});

test('each file system holds its own part of the tree', async () => {
  makeTree();
  chmodSync(path.join(tree, 'boot'), 0o700);
  chownSync(path.join(tree, 'boot'), 7, 8);
  chmodSync(path.join(tree, 'home'), 0o1777);
  writeFileSync(path.join(tree, 'home/file'), 'at home\n');
  const plan = planOf(SEPARATE, 160);
  const { file } = await write(plan);
  checkTable(plan, file);
  const root = extract(file, named(plan, 'mkfs_root'));
  const boot = extract(file, named(plan, 'mkfs_boot'));
  const home = extract(file, named(plan, 'homes'));
  for (const fs of [root, boot, home]) {
    run('e2fsck', '-fn', fs);
  }
  assert.match(debugfs(root, 'stat /boot'), /Mode: {2}0700 [\s\S]*User: {5}7 {3}Group: {5}8/);
  assert.doesNotMatch(debugfs(root, 'ls /boot'), /vmlinuz/);
  assert.doesNotMatch(debugfs(root, 'ls /home'), /file/);
  assert.equal(debugfs(boot, 'cat /vmlinuz'), 'kernel\n');
  assert.match(debugfs(boot, 'stat <2>'), /Mode: {2}0700 [\s\S]*User: {5}7 {3}Group: {5}8/);
  assert.match(debugfs(home, 'stat <2>'), /Mode: {2}01777/);
  assert.equal(debugfs(home, 'cat /file'), 'at home\n');
  const swap = extract(file, named(plan, 'swap0'));
  assert.match(
    run('blkid', '-p', '-o', 'export', swap),
    new RegExp(`LABEL=swap0\nUUID=${named(plan, 'swap0')?.uuid}[\\s\\S]*TYPE=swap`),
  );
});

test('a missing mount point is made, one that leads out of the tree is refused', async () => {
  makeTree();
  const deep = SEPARATE.replace('/home}', '/srv/data}');
  const plan = planOf(deep, 160);
  const umask = process.umask(0o077);
  const { file } = await write(plan).finally(() => process.umask(umask));
  assert.match(
    debugfs(extract(file, named(plan, 'mkfs_root')), 'stat /srv/data'),
    /Type: directory +Mode: {2}0755/,
  );
  rmSync(path.join(tree, 'srv'), { recursive: true });
  symlinkSync('/var', path.join(tree, 'srv'));
  await assert.rejects(
    write(plan, 'second.raw'),
    /"\/srv\/data" cannot be used: "srv" is not a directory/,
  );
  assert.ok(!existsSync('/var/data'));
});

test('an EFI disk has a FAT32 system partition with its files', async () => {
  makeTree();
  mkdirSync(path.join(tree, 'boot/efi/EFI/BOOT'), { recursive: true });
  writeFileSync(path.join(tree, 'boot/efi/EFI/BOOT/BOOTX64.EFI'), 'loader\n');
  const plan = planOf(EFI.replace('550MiB', '40MiB'), 160);
  const { file } = await write(plan);
  checkTable(plan, file);
  const esp = extract(file, named(plan, 'mkfs_ESP'));
  run('fsck.vfat', '-n', esp);
  assert.match(run('blkid', '-p', '-o', 'export', esp), /LABEL=MKFS_ESP\n[\s\S]*VERSION=FAT32/);
  assert.equal(run('mtype', '-i', esp, '::/EFI/BOOT/BOOTX64.EFI'), 'loader\n');
  const root = extract(file, named(plan, 'mkfs_root'));
  run('e2fsck', '-fn', root);
  assert.doesNotMatch(debugfs(root, 'ls /boot/efi'), /EFI/);
});

test('the same plan and tree give the same bytes, and none of them is the clock', async () => {
  makeTree();
  mkdirSync(path.join(tree, 'boot/efi'));
  writeFileSync(path.join(tree, 'boot/efi/loader'), 'loader\n');
  // Access times are part of the tree: one in the future is not renewed by reading.
  run('find', tree, '-exec', 'touch', '-h', '-a', '-d', '+1 hour', '{}', '+');
  const digest = (file: string): string =>
    createHash('sha256').update(readFileSync(file)).digest('hex');
  const plan = planOf(MBR, 160);
  const first = await write(plan, 'first.raw');
  const second = await write(plan, 'second.raw');
  assert.equal(digest(second.file), digest(first.file));
  const head = run('dumpe2fs', '-h', extract(first.file, plan.fileSystems[0]));
  const times = head.match(/^(Filesystem created|Last write time|Last checked): .*$/gm) ?? [];
  assert.equal(times.length, 3);
  for (const line of times) {
    assert.equal(Date.parse(`${line.replace(/^[^:]*: +/, '')} UTC`), EPOCH_SECONDS * 1000);
  }
  // Of a disk with two file systems, the root has the moment at which the other one's mount point
  // was made empty in an inode's ctime, which nobody can set. The other one has no such thing.
  const efi = planOf(EFI.replace('550MiB', '40MiB'), 160);
  const esps: string[] = [];
  for (const name of ['one.raw', 'two.raw']) {
    const { file } = await write(efi, name);
    esps.push(digest(extract(file, named(efi, 'mkfs_ESP'))));
  }
  assert.equal(esps[0], esps[1]);
});

test('small disks get a journal that they can hold', async () => {
  makeTree();
  for (const sizeMiB of [8, 12, 20, 40, 70, 100, 136]) {
    const { file } = await write(planOf(WHOLE, sizeMiB), `${sizeMiB}.raw`);
    run('e2fsck', '-fn', file);
  }
});

test('a tree that does not fit is a configuration error with the way out', async () => {
  makeTree();
  writeFileSync(path.join(tree, 'large'), Buffer.alloc(30 * 2 ** 20, 'x'));
  await assert.rejects(write(planOf(MBR, 24)), (error) => {
    assert.ok(error instanceof Failed);
    assert.equal(error.failure.kind, 'config');
    assert.match(
      error.message,
      /files below "\/" do not fit in file system "cloudimg-rootfs" of 22 MiB/,
    );
    assert.match(error.failure.hint ?? '', /--image-size/);
    return true;
  });
  // Fails while other file systems' directories are hidden by mounts, which must go.
  writeFileSync(path.join(tree, 'large'), Buffer.alloc(70 * 2 ** 20, 'x'));
  await assert.rejects(write(planOf(SEPARATE, 131), 'second.raw'), /files below "\/" do not fit/);
});

test('GRUB boot code lands where BIOS looks, and the tables survive it', async () => {
  makeTree();
  const grub = path.join(tree, 'boot/grub/i386-pc');
  mkdirSync(grub, { recursive: true });
  run('cp', '/usr/lib/grub/i386-pc/boot.img', grub);
  const modules = ['biosdisk', 'part_msdos', 'part_gpt', 'ext2'];
  run(
    'grub-mkimage',
    '-O',
    'i386-pc',
    '-p',
    '/boot/grub',
    '-o',
    path.join(grub, 'core.img'),
    ...modules,
  );
  const core = readFileSync(path.join(grub, 'core.img'));
  for (const [text, sector] of [
    [MBR, 1],
    [GPT, 2048],
  ] as const) {
    const plan = planOf(text, 100);
    const { file, written } = await write(plan, `${sector}.raw`);
    assert.equal(written.bootCode, true);
    checkTable(plan, file);
    const disk = readFileSync(file);
    assert.equal(disk.readUInt16LE(510), 0xaa55);
    assert.equal(disk.readBigUInt64LE(0x5c), BigInt(sector));
    assert.equal(disk.readBigUInt64LE(sector * 512 + 0x1f4), BigInt(sector + 1));
    assert.deepEqual(
      disk.subarray((sector + 1) * 512, sector * 512 + core.length),
      core.subarray(512),
    );
    run('e2fsck', '-fn', extract(file, named(plan, 'mkfs_root')));
  }
});

test('BIOS finds GRUB on the disk, and GRUB finds the tree', async () => {
  await Promise.all(
    [
      { text: MBR, root: 'hd0,msdos1' },
      { text: GPT, root: 'hd0,gpt2' },
    ].map(async ({ text, root }) => {
      const own = path.join(top, root.slice(4));
      const boot = path.join(own, 'tree/boot/grub/i386-pc');
      mkdirSync(boot, { recursive: true });
      mkdirSync(path.join(own, 'work'));
      writeFileSync(path.join(own, 'tree/proof'), `proof of ${root}\n`);
      run('cp', '/usr/lib/grub/i386-pc/boot.img', boot);
      const script = path.join(own, 'embedded.cfg');
      writeFileSync(script, `serial\nterminal_output serial\ncat (${root})/proof\nhalt\n`);
      const modules = 'biosdisk part_msdos part_gpt ext2 serial terminal cat halt'.split(' ');
      const out = ['-o', path.join(boot, 'core.img'), '-c', script, '-p', '/boot/grub'];
      run('grub-mkimage', '-O', 'i386-pc', ...out, ...modules);
      const plan = planOf(text, 64);
      const file = path.join(own, 'disk.raw');
      const target = { tree: path.join(own, 'tree'), workDir: path.join(own, 'work') };
      await writeDisk(plan, { ...target, files: new Map([['image0', file]]) }, context);
      const said = await runTool(
        [
          'timeout',
          '60',
          'qemu-system-x86_64',
          ...['-m', '64', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
          ...['-drive', `file=${file},format=raw,if=ide`],
        ],
        context,
      );
      assert.match(said, new RegExp(`proof of ${root}`));
    }),
  );
});

test('an existing file is never written to', async () => {
  makeTree();
  writeFileSync(path.join(top, 'image0.raw'), 'precious');
  await assert.rejects(write(planOf(MBR, 100)), /EEXIST/);
  assert.equal(readFileSync(path.join(top, 'image0.raw'), 'utf8'), 'precious');
});

test('an ext4 has the features that old readers know, whatever the host makes by itself', async () => {
  makeTree();
  const plan = planOf(MBR);
  const { file } = await write(plan);
  const told = run('dumpe2fs', '-h', extract(file, plan.fileSystems[0]));
  const features = /^Filesystem features:\s+(.*)$/m.exec(told)?.[1]?.split(' ').sort();
  assert.deepEqual(features, [
    '64bit',
    'dir_index',
    'dir_nlink',
    'ext_attr',
    'extent',
    'extra_isize',
    'filetype',
    'flex_bg',
    'has_journal',
    'huge_file',
    'large_file',
    'metadata_csum',
    'resize_inode',
    'sparse_super',
  ]);
});
