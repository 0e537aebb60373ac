import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { hook, openRig, type Rig, text } from '../rig/rig.ts';

/** An element of another's that works on the disk, as those with a boot loader do. */
async function worker(rig: Rig): Promise<void> {
  await rig.element('works-on-disk', {
    'pre-finalise.d/50-look': hook(
      [
        'eval "declare -A all=($IMAGE_BLOCK_DEVICES)"',
        '[ "${all[image0]}" = "$IMAGE_BLOCK_DEVICE" ]',
        'echo "mode $DIB_DISK_MODE"',
        'echo "root is $(findmnt -n -o SOURCE "$TMP_MOUNT_PATH" | tail -n 1) ${all[root]}"',
        'blkid -p -o value -s LABEL "${all[root]}"',
      ].join('\n'),
    ),
    'finalise.d/50-write': hook(
      'echo "written in place" >/etc/in-place\nprintf BOOT | busybox dd of="$IMAGE_BLOCK_DEVICE" conv=notrunc',
    ),
  });
}

/** What `debugfs` says of the root file system of a disk whose partition starts at 1 MiB. */
function inImage(image: string, command: string): string {
  return execFileSync('debugfs', ['-R', command, `${image}?offset=1048576`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

const skip = withoutLoopDevices();

const ELEMENTS = ['-n', 'tiny', 'works-on-disk', 'block-device-mbr'];

test('hooks that work on a block device get one, and what they write is in every format', {
  skip,
}, async () => {
  await using rig = await openRig();
  await worker(rig);
  const { status, stdout, stderr } = await rig.run('disk-image-create', [
    ...['-t', 'raw,qcow2,tar'],
    ...ELEMENTS,
  ]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /mode device/);
  assert.match(stdout, /root is (\/dev\/loop\d+) \1/);
  assert.match(stdout, /cloudimg-rootfs/);
  const image = path.join(rig.out, 'image.raw');
  assert.equal(inImage(image, 'cat /etc/in-place'), 'written in place\n');
  const boot = execFileSync('head', ['-c', '4', image], { encoding: 'latin1' });
  assert.equal(boot, 'BOOT');
  const part = path.join(rig.dir, 'part');
  execFileSync('dd', [`if=${image}`, `of=${part}`, 'bs=1M', 'skip=1', 'status=none']);
  execFileSync('e2fsck', ['-fn', part], { stdio: 'ignore' });
  execFileSync('qemu-img', ['check', '-q', path.join(rig.out, 'image.qcow2')]);
  const tar = execFileSync('tar', ['xOf', path.join(rig.out, 'image.tar'), './etc/in-place']);
  assert.equal(String(tar), 'written in place\n');
});

test('the root phases are reused, those that work on the disk are run again', {
  skip,
}, async () => {
  await using rig = await openRig();
  await worker(rig);
  await rig.element('counts', {
    'install.d/50-counts': hook('echo counting-install'),
    'cleanup.d/50-counts': hook('echo counting-cleanup'),
  });
  const build = () => rig.run('disk-image-create', ['-t', 'raw', ...ELEMENTS, 'counts']);
  const first = await build();
  assert.equal(first.status, 0, first.stderr);
  const second = await build();
  assert.equal(second.status, 0, second.stderr);
  assert.doesNotMatch(second.stdout, /counting-install/);
  assert.match(second.stdout, /counting-cleanup/);
});

test('a build that is killed while its disk is attached leaves no loop device', {
  skip,
}, async () => {
  await using rig = await openRig();
  await worker(rig);
  await rig.element('waits', {
    'cleanup.d/50-waits': hook('echo "waiting with $IMAGE_BLOCK_DEVICE"; sleep 1000'),
  });
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const started = rig.start('disk-image-create', ['-t', 'raw', ...ELEMENTS, 'waits']);
    const said = await started.event(
      (event) => event.kind === 'output' && event.line.startsWith('waiting with'),
    );
    const device = said.kind === 'output' ? path.basename(said.line.split(' ').at(-1) ?? '') : '';
    assert.match(await text('/sys/block', device, 'loop/backing_file'), /image0\.raw/);
    process.kill(started.pid, signal);
    await started.exit;
    await rig.assertNothingLeaked();
  }
});

test('DIB_DISK_MODE decides, and our own boot loader needs no device', { skip }, async () => {
  await using rig = await openRig();
  await rig.element('tells', { 'cleanup.d/50-tells': hook('echo "mode $DIB_DISK_MODE"') });
  const build = (env: Record<string, string>) =>
    rig.run('disk-image-create', ['-n', '-t', 'raw', 'tiny', 'tells', 'block-device-mbr'], { env });
  assert.match((await build({})).stdout, /mode tree/);
  assert.match((await build({ DIB_DISK_MODE: 'device' })).stdout, /mode device/);
});

test('a logical volume is a device like a partition, without device-mapper', { skip }, async () => {
  await using rig = await openRig();
  await worker(rig);
  const layout = `
- local_loop: {name: image0, size: 80MiB}
- partitioning: {base: image0, label: mbr, partitions: [{name: part, flags: [primary], size: 100%}]}
- lvm:
    name: lvm
    pvs: [{name: pv, base: part}]
    vgs: [{name: vg, base: pv}]
    lvs: [{name: other, base: vg, size: 8MiB}, {name: root, base: vg, extents: 100%FREE}]
- mkfs: {base: root, name: mkfs_root, mount: {mount_point: /}}
`;
  const env = { DIB_BLOCK_DEVICE_CONFIG: layout };
  const args = ['-t', 'raw', '-n', 'tiny', 'works-on-disk'];
  const { status, stdout, stderr } = await rig.run('disk-image-create', args, { env });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /root is (\/dev\/loop\d+) \1/);
  // Behind the start of the partition, LVM's metadata and the other volume.
  const image = `${path.join(rig.out, 'image.raw')}?offset=${(1 + 1 + 8) << 20}`;
  const said = execFileSync('debugfs', ['-R', 'cat /etc/in-place', image], { stdio: 'pipe' });
  assert.equal(String(said), 'written in place\n');
});
