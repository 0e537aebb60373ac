/** iso: the ISO image that its hooks write, with the boot loaders of this machine, as xorriso and mtools see it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

type Variables = Readonly<Record<string, string>>;

const BUILD = path.join(ROOT, 'elements/iso/cleanup.d/100-build-iso');
const COLLECT = 'iso/post-install.d/01-copy-bootloaders';
const DISTRIBUTION = { ARCH: 'amd64', DISTRO_NAME: 'debian', EFI_BOOT_DIR: 'EFI/debian' };

/** A build that has come to cleanup.d: a target with boot loaders, and these files beside the image. */
async function openBuild(files: Variables): Promise<TestDirectory> {
  const dir = await withFiles({ 'target/tmp/x': '', 'build/x': '', ...files });
  await using target = await openTarget();
  await target.hook(COLLECT, DISTRIBUTION);
  const from = path.join(target.dir, 'tmp/bootloader_files');
  await cp(from, `${dir.root}/target/tmp/bootloader_files`, { recursive: true });
  return dir;
}

function build(dir: TestDirectory, env: Variables) {
  return runHook([BUILD], {
    TARGET_ROOT: `${dir.root}/target`,
    TMP_BUILD_DIR: `${dir.root}/build`,
    TMP_HOOKS_PATH: `${dir.root}/hooks`,
    IMAGE_NAME: `${dir.root}/my image`,
    SOURCE_DATE_EPOCH: '1700000000',
    ...DISTRIBUTION,
    ...env,
  });
}

function run(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** A file of the ISO image. */
async function extract(dir: TestDirectory, iso: string, file: string): Promise<string> {
  const copy = path.join(dir.root, 'extracted');
  run('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', file, copy]);
  return await readFile(copy, 'latin1');
}

const RAMDISK = { 'hooks/.products/kernel': 'a kernel', 'my image.initramfs': 'a RAM disk' };
const BAREMETAL = { 'my image.vmlinuz': 'a kernel', 'my image.initrd': 'a RAM disk' };
const UUID = '07070086-da9a-83a8-a67d-2b369a7c2dfa';

test('the ISO image has kernel and RAM disk, and boots by BIOS, by EFI and from a stick', async () => {
  await using dir = await openBuild(BAREMETAL);
  const { status, stdout, stderr } = await build(dir, {
    IMAGE_ELEMENT: 'base baremetal iso vm',
    DIB_ROOT_UUID: UUID,
    DIB_BOOT_ISO_KERNEL_CMDLINE_ARGS: 'quiet password=$6$x',
  });
  assert.equal(status, 0, stderr);
  const iso = `${dir.root}/my image-boot.iso`;
  assert.match(stdout, /^iso: '.*\/my image-boot\.iso' boots '.*\/my image\.vmlinuz' with: root=/m);

  const report = run('xorriso', ['-indev', iso, '-report_el_torito', 'plain', '-pvd_info']);
  assert.match(report, /^Volume Id +: VMEDIA_BOOT_ISO$/m);
  assert.match(report, /^El Torito boot img : +1 +BIOS +y +none /m);
  assert.match(report, /^El Torito boot img : +2 +UEFI +y +none /m);
  assert.match(report, /^El Torito img opts : +1 +boot-info-table grub2-boot-info$/m);
  assert.match(report, /^El Torito img path : +2 +\/boot\/grub\/efi\.img$/m);
  // On a stick, firmware looks at the partition table: sfdisk is who we ask about that.
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', iso]));
  const types = partitiontable.partitions.map((partition: { type: string }) => partition.type);
  assert.ok(types.includes('C12A7328-F81F-11D2-BA4B-00A0C93EC93B'), types.join(' '));
  const sector = await readFile(iso);
  assert.equal(sector.readUInt16LE(510), 0xaa55);
  const loader = await readFile('/usr/lib/grub/i386-pc/boot_hybrid.img');
  assert.deepEqual(sector.subarray(0, 64), loader.subarray(0, 64));

  assert.equal(await extract(dir, iso, '/vmlinuz'), 'a kernel');
  assert.equal(await extract(dir, iso, '/initrd'), 'a RAM disk');
  const config = await extract(dir, iso, '/boot/grub/grub.cfg');
  const line = `    linux /vmlinuz root=UUID=${UUID} quiet password=\\$6\\$x`;
  assert.ok(config.split('\n').includes(line), config);
  assert.equal(await extract(dir, iso, '/EFI/debian/grub.cfg'), config);
  assert.match(run('grub-script-check', ['-v', path.join(dir.root, 'extracted')]), /menuentry/);

  await extract(dir, iso, '/boot/grub/efi.img');
  const efi = run('mdir', ['-/', '-b', '-i', path.join(dir.root, 'extracted')]);
  assert.deepEqual(
    efi
      .trimEnd()
      .split('\n')
      .filter((file) => !file.endsWith('/'))
      .sort(),
    [
      '::/EFI/BOOT/bootx64.efi',
      '::/EFI/BOOT/grub.cfg',
      '::/EFI/debian/grub.cfg',
      '::/boot/grub/grub.cfg',
    ],
  );
  const left = run('find', [dir.root, '-path', '*bootloader_files*', '-o', '-path', '*build/*']);
  assert.deepEqual(left.trimEnd().split('\n'), [`${dir.root}/build/x`]);
});

test('a RAM disk is booted as virtual media, and the same build writes the same bytes in each time zone', async () => {
  const digests = [];
  for (const TZ of ['America/Caracas', 'Asia/Tokyo']) {
    await using dir = await openBuild(RAMDISK);
    const { status, stderr } = await build(dir, {
      IMAGE_ELEMENT: 'base iso ramdisk ramdisk-base',
      DIB_DEPLOY_ISO_KERNEL_CMDLINE_ARGS: 'debug',
      TZ,
    });
    assert.equal(status, 0, stderr);
    const iso = `${dir.root}/hooks/.products/iso`;
    const config = await extract(dir, iso, '/boot/grub/grub.cfg');
    assert.match(config, /^ +linux \/vmlinuz boot_method=vmedia debug$/m);
    digests.push(
      createHash('sha256')
        .update(await readFile(iso))
        .digest('hex'),
    );
  }
  assert.equal(digests[0], digests[1]);
});

const REFUSED: readonly (readonly [string, Variables, Variables, RegExp])[] = [
  [
    'no kernel',
    {},
    { IMAGE_ELEMENT: 'vm iso' },
    /there is no kernel to boot; add the element bare/,
  ],
  [
    'a kernel that nobody has made',
    {},
    { IMAGE_ELEMENT: 'iso ramdisk' },
    /none of these is there.*products\/kernel .*my image\.kernel .*my image\.vmlinuz/,
  ],
  [
    'no disk',
    BAREMETAL,
    { IMAGE_ELEMENT: 'iso baremetal' },
    /the image has no disk that the ISO image could start; add the element vm/,
  ],
];
for (const [claim, files, env, says] of REFUSED) {
  test(`with ${claim} there is one sentence, and no ISO image`, async () => {
    await using dir = await withFiles({ 'target/tmp/x': '', 'build/x': '', ...files });
    const { status, stderr } = await build(dir, env);
    assert.equal(status, 1);
    assert.match(stderr, says);
    assert.match(stderr, /^iso: [^\n]+\n$/);
    assert.equal(run('find', [dir.root, '-name', '*.iso']), '');
  });
}

test('what cannot be written does not stay', async () => {
  await using dir = await openBuild(BAREMETAL);
  const elements = { IMAGE_ELEMENT: 'iso baremetal', DIB_ROOT_UUID: UUID };
  await runHook(['rm', `${dir.root}/target/tmp/bootloader_files/boot_hybrid.img`]);
  const { status, stderr } = await build(dir, elements);
  assert.equal(status, 1);
  assert.match(stderr, /^iso: cannot write '.*\/my image-boot\.iso', see xorriso's words above$/m);
  assert.equal(run('find', [dir.root, '-name', '*.iso']), '');
});

test('the boot loaders that Secure Boot wants are taken where the image has them', async () => {
  await using target = await openTarget({
    'boot/efi/EFI/openEuler/shimx64.efi': 'shim',
    'boot/efi/EFI/openEuler/grubx64.efi': 'grub',
  });
  await target.hook(COLLECT, { ARCH: 'x86_64', DISTRO_NAME: 'openeuler' });
  assert.deepEqual(await target.files('tmp/bootloader_files'), [
    'boot_hybrid.img',
    'bootx64.efi',
    'eltorito.img',
    'grubx64.efi',
  ]);
  assert.equal(await target.read('tmp/bootloader_files/bootx64.efi'), 'shim');
  assert.equal(await target.read('tmp/bootloader_files/grubx64.efi'), 'grub');
});

test('an architecture, or an image, without a boot loader is refused', async () => {
  await using target = await openTarget();
  const ppc = await target.tryHook(COLLECT, { ARCH: 'ppc64el' });
  assert.deepEqual(
    [ppc.status, ppc.stderr],
    [1, "iso: cannot make ISO images for 'ppc64el', only for amd64 and arm64\n"],
  );
  // No platform of GRUB's, whatever this machine has.
  await using bare = await openTarget({ 'usr/lib/grub/x': '' });
  const { status, stderr } = await bare.tryHook(COLLECT, { ARCH: 'arm64', DISTRO_NAME: 'debian' });
  assert.equal(status, 1);
  assert.match(stderr, /^iso: the image has no GRUB to boot from; 'debian' has it in other/);
});
