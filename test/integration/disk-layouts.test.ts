/** Layouts of several disks, of volumes and of large sectors, from the command to what is in the images. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { hook, openRig, type Rig } from '../rig/rig.ts';
import { ROOT } from '../rig/run-hook.ts';

const MIB = 2 ** 20;

/** A part of an image as a file of its own. */
function cut(rig: Rig, image: string, [startMiB, sizeMiB]: readonly [number, number]): string {
  const out = path.join(rig.dir, `${image}-${startMiB}`);
  const places = ['bs=1M', `skip=${startMiB}`, `count=${sizeMiB}`, 'conv=sparse', 'status=none'];
  execFileSync('dd', [`if=${path.join(rig.out, image)}`, `of=${out}`, ...places]);
  execFileSync('truncate', ['-s', `${sizeMiB}M`, out]);
  return out;
}

function inExt(file: string, command: string): string {
  execFileSync('e2fsck', ['-fn', file], { stdio: 'ignore' });
  return String(execFileSync('debugfs', ['-R', command, file], { stdio: 'pipe' }));
}

const TWO_DISKS = `
- local_loop: {name: image0, size: 64MiB, mkfs: {name: mkfs_root, mount: {mount_point: /, fstab: {}}}}
- local_loop: {name: data, size: 20MiB}
- mkfs: {base: data, type: ext4, mount: {mount_point: /srv, fstab: {}}}
`;

test('each disk of a layout becomes an image in each format', async () => {
  await using rig = await openRig();
  await rig.element('marks', {
    'install.d/50-marks': hook('mkdir -p /srv\necho data >/srv/file'),
  });
  const args = ['-n', '-t', 'raw,qcow2,tar', '--checksum', 'tiny', 'marks'];
  const env = { DIB_BLOCK_DEVICE_CONFIG: TWO_DISKS };
  // What is kept of images for another build has no other disks: that one makes them, too.
  for (const round of ['first', 'second']) {
    const built = await rig.run('disk-image-create', args, { env });
    assert.equal(built.status, 0, built.stderr);
    const names = ['image-data.qcow2', 'image-data.raw', 'image.qcow2', 'image.raw', 'image.tar'];
    const wanted = names.flatMap((name) => [name, `${name}.md5`, `${name}.sha256`]);
    const found = (await rig.outputs()).filter((name) => !/\d{4}\./.test(name));
    assert.deepEqual(found.filter((name) => name !== 'image.d').sort(), wanted.sort(), round);
  }
  const root = path.join(rig.out, 'image.raw');
  assert.doesNotMatch(inExt(root, 'ls /srv'), /file/);
  assert.match(inExt(root, 'cat /etc/fstab'), /^LABEL=mkfs_data \/srv ext4 defaults 0 2$/m);
  assert.equal(inExt(path.join(rig.out, 'image-data.raw'), 'cat /file'), 'data\n');
  const [data, same] = ['image-data.qcow2', 'image-data.raw'].map((name) =>
    path.join(rig.out, name),
  );
  execFileSync('qemu-img', ['compare', '-q', data ?? '', same ?? '']);
  execFileSync('sha256sum', ['--check', '--status', 'image-data.qcow2.sha256'], { cwd: rig.out });
  await rig.assertNothingLeaked();
});

test('block-device-efi-4k counts in sectors of 4096 bytes, in the table and in the file systems', async () => {
  await using rig = await openRig();
  await rig.element('loader', {
    'install.d/50-loader': hook('mkdir -p /boot/efi/EFI\necho loader >/boot/efi/EFI/file'),
  });
  const args = ['-n', '-t', 'raw', 'tiny', 'loader', 'block-device-efi-4k'];
  const built = await rig.run('disk-image-create', args);
  assert.equal(built.status, 0, built.stderr);
  const image = path.join(rig.out, 'image.raw');
  const sector = execFileSync('dd', [`if=${image}`, 'bs=4096', 'skip=1', 'count=1', 'status=none']);
  assert.equal(sector.toString('latin1', 0, 8), 'EFI PART');
  const esp = cut(rig, 'image.raw', [1, 500]);
  execFileSync('fsck.vfat', ['-n', esp], { stdio: 'ignore' });
  assert.equal(String(execFileSync('mtype', ['-i', esp, '::/EFI/file'])), 'loader\n');
  const [facts, block] = ['blkid -p -o export "$1"', 'od -An -tu2 -j11 -N2 "$1"'].map((command) =>
    String(execFileSync('sh', ['-c', command, 'sh', esp])),
  );
  assert.match(facts ?? '', /^LABEL=MKFS_ESP\n[\s\S]*VERSION=FAT32$/m);
  assert.equal(block?.trim(), '4096');
});

test('block-device-efi-lvm has its volumes, which LVM and the file systems accept', {
  skip: withoutLoopDevices('xfs'),
}, async () => {
  await using rig = await openRig();
  await rig.element('marks', {
    'install.d/50-marks': hook('mkdir -p /var/lib\necho var >/var/lib/file'),
  });
  // Without the element's packages: this tiny system has no package manager.
  const layout = path.join(ROOT, 'elements/block-device-efi-lvm/block-device-default.yaml');
  const args = ['-n', '-t', 'raw', '--image-size', '38', 'tiny', 'marks'];
  const env = { DIB_BLOCK_DEVICE_CONFIG: `file://${layout}` };
  const built = await rig.run('disk-image-create', args, { env });
  assert.equal(built.status, 0, built.stderr);
  const image = path.join(rig.out, 'image.raw');
  const look = `
    export LVM_SYSTEM_DIR=$2 LVM_SUPPRESS_FD_WARNINGS=1
    (
      device=$(losetup --find --show --read-only --offset ${559 * MIB} "$1")
      trap 'losetup --detach "$device"' EXIT
      echo "devices { use_devicesfile=0 filter=[\\"a|^$device\\$|\\",\\"r|.*|\\"] } global { activation=0 }" \\
        >"$2/lvm.conf"
      lvs --noheadings -o lv_name,seg_start_pe,seg_size_pe,seg_pe_ranges --readonly | sed "s|$device|PV|"
    )
    # The mount and its loop device are gone with the namespace.
    mount -o ro,loop,norecovery,offset=$(((560 + 4 * $3) * ${MIB})) "$1" "$2"
    cat "$2/lib/file"`;
  const extents = Math.floor((Math.floor(40e9 / MIB) - 1) / 4);
  const [root, rest] = [Math.floor(extents * 0.23), Math.floor(extents * 0.57)];
  const said = execFileSync(
    'unshare',
    ['--mount', 'bash', '-euc', look, 'bash', image, rig.home, String(root)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  assert.match(said, new RegExp(`lv_root +0 +${root} PV:0-${root - 1}\\s`));
  assert.match(said, new RegExp(`lv_var +0 +${rest} PV:${root}-${root + rest - 1}\\s`));
  assert.match(said, /^var$/m);
});
