import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { hook, openRig } from '../rig/rig.ts';

const ROWS = [
  { type: 'xfs', check: ['xfs_repair', '-n'], label: 'img-rootfs' },
  { type: 'btrfs', check: ['btrfs', 'check'], label: 'cloudimg-rootfs' },
] as const;

for (const { type, check, label } of ROWS) {
  test(`a root of ${type} has the tree, with its owners, links and attributes, and no later time`, {
    skip: withoutLoopDevices(type),
  }, async () => {
    await using rig = await openRig();
    await rig.element('marks', {
      'install.d/50-marks': hook(
        'cd /etc\necho x >marked\nbusybox chown 33:44 marked\nchmod 640 marked\nln marked linked\ntouch -d @1500000000 old',
      ),
    });
    const args = ['-n', '-t', 'raw', '--image-size', '0.5', 'tiny', 'marks', 'block-device-mbr'];
    const built = await rig.run('disk-image-create', args, {
      env: { FS_TYPE: type, SOURCE_DATE_EPOCH: '1600000000' },
    });
    assert.equal(built.status, 0, built.stderr);
    const part = path.join(rig.dir, 'part');
    const image = path.join(rig.out, 'image.raw');
    execFileSync('dd', [
      `if=${image}`,
      `of=${part}`,
      'bs=1M',
      'skip=1',
      'conv=sparse',
      'status=none',
    ]);
    const [tool, ...options] = check;
    execFileSync(tool, [...options, part], { stdio: 'ignore' });
    const found = execFileSync('blkid', ['-p', '-o', 'export', part], { encoding: 'utf8' });
    assert.match(found, new RegExp(`^TYPE=${type}$`, 'm'));
    assert.match(found, new RegExp(`^LABEL=${label}$`, 'm'));
    // In a namespace of its own: the mount and its loop device are gone with the command.
    const look =
      'mount -o ro,loop "$1" "$2" && cd "$2/etc" && stat -c "%n %u %g %a %h %Y" marked linked old';
    const stat = execFileSync('unshare', ['--mount', 'sh', '-c', look, 'sh', part, rig.home]);
    assert.equal(
      String(stat),
      'marked 33 44 640 2 1600000000\nlinked 33 44 640 2 1600000000\nold 0 0 644 1 1500000000\n',
    );
  });
}

test('a file system that is too small for its type is told before anything is made', async () => {
  await using rig = await openRig();
  const args = ['-n', '-t', 'raw', 'tiny', 'block-device-mbr'];
  const built = await rig.run('disk-image-create', args, { env: { FS_TYPE: 'xfs' } });
  assert.equal(built.status, 2);
  assert.match(built.stderr, /"img-rootfs" is too small for xfs, which takes 300 MiB: \d+ MiB/);
  assert.deepEqual(await rig.outputs(), []);
});
