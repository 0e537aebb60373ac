/** The element bootloader, run with this machine's own GRUB. That whole images boot is another test's claim. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  assertDone,
  BOOT_UUID,
  KERNEL,
  kernelLine,
  makeRoot,
  ROOT_UUID,
  runHook,
} from '../rig/bootloader-root.ts';

const SEPARATE_BOOT = {
  DIB_BOOT_LABEL: 'boots',
  DIB_BOOT_UUID: BOOT_UUID,
  DIB_MOUNTPOINTS: '/|/boot',
};

test('the bootloader installs its package, told that there is no disk to ask for', (context) => {
  const outcome = runHook(makeRoot(context), {});
  assertDone(outcome);
  assert.match(outcome.read('calls'), /^debconf-set-selections $/m);
  assert.match(outcome.read('calls'), /^grub-pc grub-pc\/install_devices_empty boolean true$/m);
  assert.match(outcome.read('calls'), /^install-packages -m bootloader grub-pc$/m);
});

test('the bootloader leaves boot code, modules and a configuration, and nothing else', (context) => {
  const root = makeRoot(context);
  assertDone(runHook(root, {}));
  const code = readdirSync(path.join(root, 'boot/grub/i386-pc'));
  for (const name of ['boot.img', 'core.img', 'normal.mod', 'moddep.lst']) {
    assert.ok(code.includes(name), name);
  }
  assert.ok(existsSync(path.join(root, 'boot/grub/grubenv')));
  assert.deepEqual(readdirSync(path.join(root, 'tmp')), []);
  assert.deepEqual(readdirSync(path.join(root, 'etc/default')), ['grub']);
});

test('for EFI the bootloader leaves the program that firmware starts, and boot code for a BIOS', (context) => {
  const root = makeRoot(context);
  const outcome = runHook(root, { DIB_BLOCK_DEVICE: 'efi', EFI_BOOT_DIR: 'EFI/debian' });
  assertDone(outcome);
  assert.match(outcome.read('calls'), /^install-packages -m bootloader grub-efi grub-efi-amd64$/m);
  // Source: UEFI 2.10, 3.5.1.1, and PE's magic.
  assert.match(outcome.read('boot/efi/EFI/BOOT/BOOTX64.EFI'), /^MZ/);
  assert.ok(outcome.read('boot/efi/EFI/BOOT/BOOTX64.EFI').includes(ROOT_UUID));
  assert.match(outcome.read('boot/efi/EFI/debian/grub.cfg'), /^configfile \$prefix\/grub\.cfg$/m);
  assert.ok(existsSync(path.join(root, 'boot/grub/x86_64-efi/normal.mod')));
  assert.ok(existsSync(path.join(root, 'boot/grub/i386-pc/core.img')));
  assert.match(outcome.read('boot/grub/grub.cfg'), /insmod part_gpt/);
});

test('for EFI an architecture without a GRUB is refused', (context) => {
  const outcome = runHook(makeRoot(context), { DIB_BLOCK_DEVICE: 'efi', ARCH: 's390x' });
  assert.equal(outcome.status, 1);
  assert.match(outcome.stderr, /Cannot install GRUB for EFI on 's390x'/);
});

const CONSOLES = 'console=tty0 console=ttyS0,115200';

const KERNEL_LINES: readonly {
  claim: string;
  changes: Readonly<Record<string, string | undefined>>;
  line: string;
}[] = [
  { claim: 'by default', changes: {}, line: `${CONSOLES} no_timer_check nofb` },
  {
    claim: 'without the serial console and the timer check',
    changes: { DIB_BOOTLOADER_USE_SERIAL_CONSOLE: 'False', DIB_NO_TIMER_CHECK: 'False' },
    line: 'console=tty0 nofb',
  },
  {
    claim: 'with another serial console and no virtual terminal',
    changes: { DIB_BOOTLOADER_SERIAL_CONSOLE: 'ttyS1,9600', DIB_BOOTLOADER_VIRTUAL_TERMINAL: '' },
    line: 'console=ttyS1,9600 no_timer_check nofb',
  },
  {
    claim: 'with arguments of its own',
    changes: { DIB_BOOTLOADER_DEFAULT_CMDLINE: 'a=1 b=2' },
    line: `${CONSOLES} no_timer_check a=1 b=2`,
  },
];

for (const { claim, changes, line } of KERNEL_LINES) {
  test(`the kernel finds root by label ${claim}`, (context) => {
    const outcome = runHook(makeRoot(context), changes);
    assertDone(outcome);
    const words = kernelLine(outcome).split(/\s+/).join(' ');
    assert.equal(words, `/boot/${KERNEL} root=LABEL=cloudimg-rootfs ro ${line}`);
  });
}

test('the menu goes to both consoles and waits as long as it is told', (context) => {
  const outcome = runHook(makeRoot(context), {
    DIB_BOOTLOADER_SERIAL_CONSOLE: 'ttyS1,9600',
    DIB_GRUB_TIMEOUT: '0',
    DIB_GRUB_TIMEOUT_STYLE: 'hidden',
  });
  assertDone(outcome);
  const config = outcome.read('boot/grub/grub.cfg');
  assert.match(config, /^serial .*--unit=1 /m);
  assert.match(config, /^terminal_output serial console/m);
  assert.match(config, /set timeout_style=hidden/);
  assert.match(config, /set timeout=0$/m);
});

test('settings that the image has are replaced, and its consoles and boot= dropped', (context) => {
  const root = makeRoot(context);
  writeFileSync(
    path.join(root, 'etc/default/grub'),
    'GRUB_TIMEOUT=99\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_DISABLE_OS_PROBER=false\n' +
      'GRUB_CMDLINE_LINUX="console=ttyS7 keep rootboot=1 boot=/dev/sda1"\n#GRUB_TIMEOUT=1\n',
  );
  const outcome = runHook(root, {});
  assertDone(outcome);
  assert.match(kernelLine(outcome), / ro +keep rootboot=1 +console=tty0 /);
  assert.doesNotMatch(kernelLine(outcome), /quiet|ttyS7|sda1/);
  const defaults = outcome.read('etc/default/grub');
  assert.deepEqual(defaults.match(/^GRUB_TIMEOUT=.*$/gm), ['GRUB_TIMEOUT="5"']);
  assert.match(defaults, /^#GRUB_TIMEOUT=1$/m);
  assert.match(defaults, /^GRUB_DISABLE_OS_PROBER=false$/m);
  assertDone(runHook(root, {}));
  assert.equal(outcome.read('etc/default/grub'), defaults);
});

const PLACES: readonly {
  claim: string;
  changes: Readonly<Record<string, string>>;
  says: readonly RegExp[];
}[] = [
  {
    claim: 'an ext4 root on MBR',
    changes: {},
    says: [/insmod part_msdos/, /insmod ext2/, new RegExp(`search .*--set=root ${ROOT_UUID}`)],
  },
  {
    claim: 'an XFS root on GPT',
    changes: { DIB_BLOCK_DEVICE: 'gpt', DIB_ROOT_FSTYPE: 'xfs' },
    says: [/insmod part_gpt/, /insmod xfs/],
  },
  {
    claim: 'a /boot of its own',
    changes: SEPARATE_BOOT,
    says: [
      new RegExp(`search .*--set=root ${BOOT_UUID}`),
      new RegExp(`linux\\s+/${KERNEL} root=LABEL=cloudimg-rootfs .* boot=LABEL=boots`),
      /initrd\s+\/initrd\.img/,
    ],
  },
];

for (const { claim, changes, says } of PLACES) {
  test(`the configuration is for ${claim}`, (context) => {
    const outcome = runHook(makeRoot(context), changes);
    assertDone(outcome);
    for (const pattern of says) {
      assert.match(outcome.read('boot/grub/grub.cfg'), pattern);
    }
  });
}

test('initramfs-tools is not told of a /boot of its own: it would take that for a script', (context) => {
  const root = makeRoot(context);
  mkdirSync(path.join(root, 'etc/initramfs-tools'));
  writeFileSync(path.join(root, 'etc/initramfs-tools/initramfs.conf'), '');
  const outcome = runHook(root, SEPARATE_BOOT);
  assertDone(outcome);
  assert.doesNotMatch(kernelLine(outcome), /boot=/);
});

const REFUSED: readonly { changes: Readonly<Record<string, string | undefined>>; says: RegExp }[] =
  [
    { changes: { DIB_EXTLINUX: '1' }, says: /DIB_EXTLINUX/ },
    { changes: { ARCH: 'ppc64el' }, says: /without a block device/ },
    { changes: { DIB_ROOT_LABEL: undefined }, says: /DIB_ROOT_LABEL/ },
  ];

for (const { changes, says } of REFUSED) {
  test(`the bootloader refuses another ${Object.keys(changes)} before it touches anything`, (context) => {
    const outcome = runHook(makeRoot(context), changes);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, says);
    assert.equal(outcome.read('calls'), '');
    assert.equal(outcome.read('etc/default/grub'), '');
  });
}

test('an unpartitioned disk gets a configuration, no boot code, and a warning', (context) => {
  const root = makeRoot(context);
  const outcome = runHook(root, { DIB_BLOCK_DEVICE: undefined });
  assertDone(outcome);
  assert.match(outcome.stderr, /WARNING: No boot loader installed/);
  assert.notEqual(outcome.read('boot/grub/grub.cfg'), '');
  assert.equal(existsSync(path.join(root, 'boot/grub/i386-pc')), false);
});

test('an element with a boot loader of its own is left alone', (context) => {
  const root = makeRoot(context);
  mkdirSync(path.join(root, 'tmp/grub'));
  writeFileSync(path.join(root, 'tmp/grub/install'), '');
  const outcome = runHook(root, {});
  assertDone(outcome);
  assert.deepEqual(readdirSync(path.join(root, 'boot')).sort(), ['initrd.img-6.1.0-test', KERNEL]);
});

test('a failing grub-mkconfig leaves no stand-in mounted and the settings as they were', (context) => {
  const root = makeRoot(context);
  writeFileSync(path.join(root, 'etc/grub.d/00_broken'), '#!/bin/sh\nexit 5\n', { mode: 0o755 });
  const outcome = runHook(root, {});
  assert.notEqual(outcome.status, 0);
  assert.notEqual(outcome.status, 99);
  assert.doesNotMatch(outcome.read('etc/default/grub'), /OS_PROBER/);
  assert.deepEqual(readdirSync(path.join(root, 'etc/default')), ['grub']);
  assert.deepEqual(readdirSync(path.join(root, 'tmp')), []);
});

function tool(argv: readonly [string, ...string[]], input = ''): void {
  const [file, ...args] = argv;
  const told = spawnSync(file, args, { input, encoding: 'utf8' });
  assert.equal(told.status, 0, `${argv.join(' ')}: ${told.stderr}`);
}

const MIB = 1024 * 1024;

interface SmallDisk {
  readonly file: string;
  /** What becomes the one file system. */
  readonly tree: string;
  readonly label: string;
  readonly uuid: string;
  /** Holds boot.img and core.img; none makes a disk without boot code. */
  readonly code?: string;
}

function makeDisk(disk: SmallDisk): void {
  const { file, tree, label, uuid } = disk;
  tool(['truncate', '-s', '64M', file]);
  tool(['sfdisk', '-q', file], 'label: dos\nstart=2048, type=83, bootable\n');
  const place = ['-E', `offset=${MIB}`, file, '63M'];
  tool(['mke2fs', '-q', '-t', 'ext4', '-L', label, '-U', uuid, '-d', tree, ...place]);
  if (disk.code !== undefined) {
    const out = [`of=${file}`, 'conv=notrunc', 'status=none'];
    tool(['dd', `if=${disk.code}/boot.img`, 'bs=440', 'count=1', ...out]);
    tool(['dd', `if=${disk.code}/core.img`, 'bs=512', 'seek=1', ...out]);
  }
}

/** Boots disks, the first one first, with a grub.cfg that halts; returns what the serial port said. */
function boot(files: readonly string[]): string {
  const told = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-m', '128', '-display', 'none', '-serial', 'stdio', '-net', 'none', '-no-reboot'],
      ...files.flatMap((file, index) => ['-drive', `file=${file},format=raw,index=${index}`]),
    ],
    { encoding: 'utf8', timeout: 60_000, input: '' },
  );
  return told.stdout;
}

function sayAndHalt(word: string): string {
  return `serial --unit=0 --speed=115200\nterminal_output serial\necho "${word} on $root"\nhalt\n`;
}

const STARTS: readonly {
  claim: string;
  changes: Readonly<Record<string, string>>;
  disk: { label: string; uuid: string };
}[] = [
  { claim: 'its root', changes: {}, disk: { label: 'cloudimg-rootfs', uuid: ROOT_UUID } },
  {
    claim: 'a root that got another identifier',
    changes: {},
    disk: { label: 'cloudimg-rootfs', uuid: BOOT_UUID },
  },
  {
    claim: 'a root that got another label',
    changes: {},
    disk: { label: 'renamed', uuid: ROOT_UUID },
  },
  {
    claim: 'a /boot of its own',
    changes: SEPARATE_BOOT,
    disk: { label: 'boots', uuid: BOOT_UUID },
  },
];

for (const { claim, changes, disk } of STARTS) {
  test(`the BIOS starts GRUB, which finds ${claim} on the disk that it came from`, (context) => {
    const root = makeRoot(context);
    assertDone(runHook(root, changes));
    const tree = 'DIB_BOOT_LABEL' in changes ? path.join(root, 'boot') : path.join(root, 'image');
    if (!('DIB_BOOT_LABEL' in changes)) {
      cpSync(path.join(root, 'boot'), path.join(tree, 'boot'), { recursive: true });
    }
    const code = path.join(root, 'boot/grub/i386-pc');
    const config = path.join(
      tree,
      'DIB_BOOT_LABEL' in changes ? 'grub/grub.cfg' : 'boot/grub/grub.cfg',
    );
    const [own, other] = [path.join(root, 'own.raw'), path.join(root, 'other.raw')];
    writeFileSync(config, sayAndHalt('wrong'));
    makeDisk({ file: other, tree, ...disk });
    writeFileSync(config, sayAndHalt('right'));
    makeDisk({ file: own, tree, code, ...disk });
    assert.match(boot([own, other]), /right on hd0,msdos1/);
  });
}
