/**
 * A disk for aarch64, laid out on a machine of another architecture: Debian's GRUB for arm64 is put in
 * its place by this machine's grub-mkimage, and no foreign program runs.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assertDone, kernelLine, makeRoot, ROOT_UUID, runHook } from '../rig/bootloader-root.ts';
import { unpackForeignDeb } from '../rig/foreign-deb.ts';
import { openMirror } from '../rig/openeuler-mirror/mirror.ts';
import { hook, openRig } from '../rig/rig.ts';
import { ROOT, runHook as runScript, withFiles } from '../rig/run-hook.ts';

/** Source: UEFI 2.10, table 5.3; PE format, "Machine Types". */
const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const BIOS_BOOT_TYPE = '21686148-6449-6E6F-744E-656564454649';
const MACHINE_ARM64 = 0xaa64;

let dir: string;
/** With `arm64-efi`, and this machine's platforms beside it. */
let grub: string;

before(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'dibkit-aarch64-'));
  const foreign = unpackForeignDeb('grub-efi-arm64-bin', 'arm64', dir);
  grub = path.join(foreign, 'usr/lib/grub');
  for (const platform of readdirSync('/usr/lib/grub')) {
    cpSync(path.join('/usr/lib/grub', platform), path.join(grub, platform), { recursive: true });
  }
});
after(() => rmSync(dir, { recursive: true, force: true }));

function machineOf(program: Buffer): number {
  const header = program.readUInt32LE(0x3c);
  assert.equal(program.subarray(header, header + 4).toString('latin1'), 'PE\0\0');
  return program.readUInt16LE(header + 4);
}

for (const ARCH of ['arm64', 'aarch64']) {
  test(`openEuler's GRUB for ${ARCH} has the names that its repositories have`, async () => {
    await using files = await withFiles({ 'target/x': '' });
    const create = path.join(ROOT, 'elements/pkg-map/extra-data.d/10-create-pkg-map-dir');
    const prepared = await runScript([create], {
      IMAGE_ELEMENT_YAML: `{bootloader: ${ROOT}/elements/bootloader}`,
      TMP_MOUNT_PATH: `${files.root}/target`,
      TMP_HOOKS_PATH: `${files.root}/hooks`,
    });
    assert.equal(prepared.status, 0, prepared.stderr);
    const map = path.join(ROOT, 'elements/pkg-map/bin/pkg-map');
    const asked = ['--element', 'bootloader', 'grub-efi', `grub-efi-${ARCH}`];
    const { stdout } = await runScript([map, ...asked], {
      PKG_MAP_DIR: `${files.root}/target/usr/share/pkg-map`,
      DISTRO_NAME: 'openeuler',
      DIB_RELEASE: '24.03-LTS',
    });
    const names = 'grub2-tools efibootmgr grub2-efi-aa64 grub2-efi-aa64-modules shim';
    assert.deepEqual(stdout.trim().split(/\s+/), names.split(' '));
  });

  test(`the bootloader of ${ARCH} is the program that its firmware starts, and nothing for a BIOS`, (context) => {
    const root = makeRoot(context);
    const changes = { ARCH, DIB_BLOCK_DEVICE: 'efi', EFI_BOOT_DIR: 'EFI/openEuler' };
    const outcome = runHook(root, changes, grub);
    assertDone(outcome);
    assert.match(outcome.read('calls'), new RegExp(`install-packages .* grub-efi-${ARCH}$`, 'm'));
    const program = readFileSync(path.join(root, 'boot/efi/EFI/BOOT/BOOTAA64.EFI'));
    assert.equal(machineOf(program), MACHINE_ARM64);
    assert.ok(program.includes(ROOT_UUID));
    assert.deepEqual(readdirSync(path.join(root, 'boot/efi/EFI')).sort(), ['BOOT', 'openEuler']);
    assert.deepEqual(readdirSync(path.join(root, 'boot/efi/EFI/BOOT')), ['BOOTAA64.EFI']);
    assert.match(outcome.read('boot/efi/EFI/openEuler/grub.cfg'), /^configfile/m);
    assert.match(kernelLine(outcome), /console=tty0 console=ttyAMA0,115200/);
    const platforms = readdirSync(path.join(root, 'boot/grub'));
    assert.ok(platforms.includes('arm64-efi') && !platforms.includes('i386-pc'), `${platforms}`);
  });
}

test('a disk for aarch64 has the ESP with that program, and the root beside it', async (context) => {
  const root = makeRoot(context);
  assertDone(runHook(root, { ARCH: 'arm64', DIB_BLOCK_DEVICE: 'efi' }, grub));
  await using rig = await openRig();
  await rig.element('arm-boot', {
    'root.d/50-arm-boot': hook(`cp -a ${root}/boot "$TARGET_ROOT/"`),
  });
  const args = ['-n', '-a', 'arm64', '-t', 'raw', 'tiny', 'arm-boot', 'block-device-efi'];
  const result = await rig.run('disk-image-create', args);
  assert.equal(result.status, 0, result.stderr);

  const image = path.join(rig.out, 'image.raw');
  const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', image]).toString()) as {
    partitiontable: { label: string; partitions: { start: number; type: string; name: string }[] };
  };
  assert.equal(partitiontable.label, 'gpt');
  assert.equal(partitiontable.partitions[0]?.type, ESP_TYPE);
  const esp = `${image}@@${(partitiontable.partitions[0]?.start ?? 0) * 512}`;
  const copied = path.join(rig.dir, 'BOOTAA64.EFI');
  execFileSync('mcopy', ['-i', esp, '::/EFI/BOOT/BOOTAA64.EFI', copied]);
  assert.equal(machineOf(readFileSync(copied)), MACHINE_ARM64);
  // Where a PC's boot code would be, there is none.
  const bios = partitiontable.partitions.find(({ type }) => type === BIOS_BOOT_TYPE);
  for (const start of [0, ...(bios === undefined ? [] : [bios.start * 512])]) {
    assert.deepEqual(bytesAt(image, start, 440), Buffer.alloc(440));
  }
});

function bytesAt(file: string, start: number, length: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(descriptor, bytes, 0, length, start);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

test('openEuler of an architecture that this host cannot run is refused in one sentence', async () => {
  await using mirror = await openMirror();
  await using rig = await openRig();
  const result = await rig.run('disk-image-create', ['-a', 'arm64', '-t', 'tar', 'openeuler'], {
    env: { DIB_DISTRIBUTION_MIRROR: mirror.url, DIB_RELEASE: '22.03-LTS' },
  });
  assert.equal(result.status, 3, result.stderr);
  assert.match(result.stderr, /Cannot run programs for aarch64 on this host/);
  assert.ok(mirror.requests.some((one) => /docker_img\/aarch64\/.*\.tar\.xz 200$/.test(one)));
});
