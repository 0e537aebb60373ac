import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packageFamily, toolPath } from '../../../src/sandbox/host-tools.ts';
import {
  denialsAt,
  devptsOptions,
  mountsBelow,
  namespaceFilesystems,
  topMountsBelow,
} from '../../../src/sandbox/mounts.ts';
import { wantsTmpfs } from '../../../src/sandbox/work-tree.ts';

const MOUNTINFO = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /dev/pts rw,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=000
30 22 0:40 / /b/mnt rw - tmpfs tmpfs rw
31 30 0:41 / /b/mnt/proc rw - proc proc rw
32 30 0:42 / /b/mnt/dev rw - devtmpfs dev rw
33 32 0:43 / /b/mnt/dev/pts rw - devpts devpts rw
34 22 0:44 / /b/mnt2 rw - tmpfs tmpfs rw
35 30 0:45 / /b/mnt/a\\040b rw - tmpfs tmpfs rw
`;

test('mountsBelow() lists newest first, unescaped, without the directory and its namesakes', () => {
  assert.deepEqual(mountsBelow(MOUNTINFO, '/b/mnt'), [
    '/b/mnt/a b',
    '/b/mnt/dev/pts',
    '/b/mnt/dev',
    '/b/mnt/proc',
  ]);
});

test('denialsAt() is of the mount that a path is on, the newest there', () => {
  const table = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw
24 22 0:22 / /tmp2 rw,noexec - tmpfs tmpfs rw
25 23 0:23 / /tmp/a\\040b rw,nosuid - tmpfs tmpfs rw
26 25 0:24 / /tmp/a\\040b rw,nodev,noexec - tmpfs tmpfs rw
`;
  assert.deepEqual(denialsAt(table, '/tmp/x/hooks'), ['nosuid', 'nodev']);
  assert.deepEqual(denialsAt(table, '/tmp'), ['nosuid', 'nodev']);
  assert.deepEqual(denialsAt(table, '/tmp/a b/c'), ['nodev', 'noexec']);
  assert.deepEqual(denialsAt(table, '/tmp3'), []);
  assert.deepEqual(denialsAt('', '/x'), []);
});

test('topMountsBelow() leaves out what hangs on another one', () => {
  assert.deepEqual(topMountsBelow(MOUNTINFO, '/b/mnt'), [
    '/b/mnt/a b',
    '/b/mnt/dev',
    '/b/mnt/proc',
  ]);
});

test('namespaceFilesystems() makes no device node and mounts no sysfs', () => {
  const mounts = namespaceFilesystems('/t', 'newinstance,gid=5,mode=620,ptmxmode=000');
  assert.deepEqual(
    mounts.map(({ target, type, options }) => `${target} ${type ?? options}`),
    [
      '/t/proc proc',
      '/t/dev tmpfs',
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/t/dev/${name} bind`),
      '/t/dev/pts devpts',
      '/t/sys rbind,ro',
    ],
  );
  assert.equal(
    mounts.find(({ type }) => type === 'devpts')?.options,
    'newinstance,gid=5,mode=620,ptmxmode=666',
  );
});

test('devptsOptions() takes the host’s own, or those that package scripts need', () => {
  assert.equal(devptsOptions(MOUNTINFO), 'newinstance,gid=5,mode=620,ptmxmode=000');
  assert.equal(devptsOptions(''), 'newinstance,gid=5,mode=620');
});

test('packageFamily() reads ID and ID_LIKE', () => {
  const table = [
    ['ID=debian\n', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'debian'],
    ['NAME="openEuler"\nID="openEuler"\n', 'redhat'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'redhat'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', 'suse'],
    ['ID=nixos\n', undefined],
  ] as const;
  for (const [text, family] of table) {
    assert.equal(packageFamily(text), family, text);
  }
});

test('toolPath() adds the system directories and forgets relative ones', () => {
  assert.equal(
    toolPath('/opt/bin:.:/bin'),
    '/opt/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin',
  );
});

test('wantsTmpfs() wants twice the minimum of memory', () => {
  const request = { buildDir: '', imageDir: '', noTmpfs: false, minTmpfs: 2 };
  const gib = 1024 * 1024;
  assert.equal(wantsTmpfs(request, 4 * gib), true);
  assert.equal(wantsTmpfs(request, 4 * gib - 1), false);
  assert.equal(wantsTmpfs({ ...request, noTmpfs: true }, 64 * gib), false);
});
