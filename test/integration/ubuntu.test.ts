/**
 * `vm ubuntu` and `vm ubuntu-minimal` end to end, against a stand-in for Ubuntu's mirrors on loopback;
 * and against the real ones where they can be reached.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openUbuntuMirror, type UbuntuMirror } from '../fixtures/ubuntu-mirror/mirror.ts';
import { boot } from '../rig/boot.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';
import { ROOT, runHook, withFiles } from '../rig/run-hook.ts';

const IMAGE = 'noble-server-cloudimg-amd64-root.tar.xz';
const GZIP = IMAGE.replace('.xz', '.gz');

let rig: Rig;
let mirror: UbuntuMirror;

before(async () => {
  mirror = await openUbuntuMirror();
  rig = await openRig();
  // Shows what the build's environment says and what a root has got, and writes no image.
  await rig.element('look', {
    'extra-data.d/50-look': hook(
      'cat "$TMP_MOUNT_PATH/etc/os-release" "$TMP_MOUNT_PATH"/etc/apt/sources.list.d/*' +
        '; ls -A "$TMP_MOUNT_PATH"; exit 44',
    ),
  });
  await rig.element('says-mounts', {
    'install.d/50-says': hook(
      `install-packages lvm2\ncat >/etc/systemd/system/says.service <<'UNIT'\n${SAYS}UNIT\nsystemctl enable says.service`,
    ),
  });
});

after(async () => {
  await rig[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
});

function said({ stdout, stderr }: Result): string {
  return stdout + stderr;
}

/** Builds up to extra-data.d, where the element `look` ends it with status 44. */
async function look(env: Readonly<Record<string, string>>): Promise<Result> {
  return rig.run('disk-image-create', ['-n', 'ubuntu', 'look'], { env: { ...mirror.env, ...env } });
}

function assertLooked(result: Result): void {
  assert.match(said(result), /ID=ubuntu[\s\S]*failed with status 44/);
}

/** A BIOS, a GPT, /boot in a partition, and the rest in a volume group: swap, / and /var. */
const MANY_PARTS = `
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: BSP, type: EF02, size: 8MiB}
      - name: boot
        size: 300MiB
        mkfs: {type: ext4, label: boots, mount: {mount_point: /boot, fstab: {}}}
      - {name: volumes, type: 8E00, size: 100%}
- lvm:
    name: lvm
    pvs: [{name: pv, base: volumes}]
    vgs: [{name: vg-0, base: pv}]
    lvs:
      - {name: swap, base: vg-0, size: 64MiB}
      - {name: system, base: vg-0, extents: 60%VG}
      - {name: var, base: vg-0, extents: 100%FREE}
- mkfs: {base: swap, type: swap, mount: {mount_point: swap, fstab: {}}}
- mkfs: {base: system, name: mkfs_root, mount: {mount_point: /, fstab: {fsck-passno: 1}}}
- mkfs: {base: var, type: ext4, mount: {mount_point: /var, fstab: {}}}
`;

/** What the element below has the system say before it asks for a login, without the kernel in it. */
const SAYS = `[Unit]
After=local-fs.target swap.target
Before=serial-getty@ttyS0.service
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS0
ExecStartPre=dmesg --console-level emerg
ExecStart=sed "s/^/MOUNTED /" /proc/mounts /proc/swaps
[Install]
WantedBy=multi-user.target
`;

const DISKS = [
  {
    element: 'ubuntu',
    env: {},
    mounted: [/^MOUNTED \/dev\/vda2 \/ ext4 /m],
  },
  {
    element: 'ubuntu-minimal',
    env: { DIB_BLOCK_DEVICE_CONFIG: MANY_PARTS, DIB_IMAGE_SIZE: '3' },
    mounted: [
      /^MOUNTED \/dev\/mapper\/vg--0-system \/ ext4 /m,
      /^MOUNTED \/dev\/vda2 \/boot ext4 /m,
      /^MOUNTED \/dev\/mapper\/vg--0-var \/var ext4 /m,
      /^MOUNTED \/dev\/dm-\d+ +partition\s+65532\s/m,
    ],
  },
];

describe('disk-image-create', { concurrency: 2 }, () => {
  for (const { element, env, mounted } of DISKS) {
    test(`vm ${element} is built from the mirror, and a BIOS boots it from its GPT`, async () => {
      const elements = ['vm', element, 'block-device-gpt', 'says-mounts'];
      const cache = element === 'ubuntu' ? rig.cache : path.join(rig.dir, 'minimal-cache');
      const result = await rig.run('disk-image-create', ['-u', '-o', element, ...elements], {
        env: { ...mirror.env, ...env, DIB_IMAGE_CACHE: cache },
      });
      assert.equal(result.status, 0, said(result).slice(-6000));
      await using machine = await boot(path.join(rig.out, `${element}.qcow2`));
      const console = (await machine.waitForLogin()).replaceAll('\r', '');
      for (const pattern of mounted) {
        assert.match(console, pattern);
      }
    });
  }
});

test('the root was fetched once, verified, and is used again without the network', async () => {
  const cached = path.join(rig.cache, IMAGE);
  const sums = await readFile(path.join(rig.cache, 'SHA256SUMS.ubuntu.noble.amd64'), 'utf8');
  const [digest = 'none'] = execFileSync('sha256sum', [cached], { encoding: 'utf8' }).split(' ');
  assert.ok(sums.includes(digest));
  const { mtimeNs, ino } = await stat(cached, { bigint: true });
  assertLooked(await look({}));
  assertLooked(await look({ DIB_OFFLINE: '1', DIB_CLOUD_IMAGES: 'http://127.0.0.1:1' }));
  const again = await stat(cached, { bigint: true });
  assert.deepEqual([again.mtimeNs, again.ino], [mtimeNs, ino]);
});

test('BASE_IMAGE_FILE chooses the image, SHA256SUMS the sums with the scheme that it has', async () => {
  const sums = `file://${path.join(mirror.dir, 'images/noble/current/SHA256SUMS')}`;
  const result = await look({ BASE_IMAGE_FILE: GZIP, SHA256SUMS: sums });
  assertLooked(result);
  assert.match(said(result), /\(gzip\)/);
});

test('DIB_LOCAL_IMAGE is taken as it is, and must exist', async () => {
  const before = mirror.requests.length;
  const image = path.join(mirror.dir, 'images/noble/current', GZIP);
  assertLooked(await look({ DIB_LOCAL_IMAGE: image }));
  assert.equal(mirror.requests.length, before, 'nothing is fetched');
  const missing = await look({ DIB_LOCAL_IMAGE: '/nonexistent.tar' });
  assert.equal(missing.status, 1);
  assert.match(said(missing), /DIB_LOCAL_IMAGE is not a file: '\/nonexistent\.tar'/);
});

test('a release that the mirror does not have is named, with what to set', async () => {
  const result = await look({ DIB_RELEASE: 'warty' });
  assert.equal(result.status, 1);
  assert.match(said(result), /lists none of warty-server[\s\S]*BASE_IMAGE_FILE/);
});

test('an image that is not what the sums say never gets into a target', async () => {
  const dir = path.join(rig.dir, 'bad');
  await mkdir(dir);
  const good = path.join(mirror.dir, 'images/noble/current');
  await copyFile(path.join(good, 'SHA256SUMS'), path.join(dir, 'SHA256SUMS'));
  await writeFile(path.join(dir, GZIP), 'not the image');
  const cache = path.join(rig.dir, 'bad-cache');
  const result = await look({
    DIB_CLOUD_IMAGES: `file://${dir}`,
    BASE_IMAGE_FILE: GZIP,
    DIB_IMAGE_CACHE: cache,
  });
  assert.equal(result.status, 4);
  assert.doesNotMatch(said(result), /Extracted/);
  assert.ok(!(await readdir(cache)).includes(GZIP), 'no bad file under the good name');
  await rm(cache, { recursive: true });
});

test('without the network, an image that nothing vouches for is no image either', async () => {
  const cache = path.join(rig.dir, 'unknown-cache');
  await mkdir(cache);
  await writeFile(path.join(cache, GZIP), 'from who knows where');
  const result = await look({
    DIB_OFFLINE: '1',
    DIB_CLOUD_IMAGES: 'http://127.0.0.1:1',
    BASE_IMAGE_FILE: GZIP,
    DIB_IMAGE_CACHE: cache,
  });
  assert.equal(result.status, 4, said(result));
  assert.match(said(result), /the cache has no list of checksums for it/);
  assert.doesNotMatch(said(result), /Extracted/);
  await rm(cache, { recursive: true });
});

test('of a mirror that has a squashfs too, that one is taken, and is what the root is made of', async () => {
  const dir = path.join(rig.dir, 'squashed');
  const tree = path.join(dir, 'tree');
  await mkdir(tree, { recursive: true });
  const image = path.join(mirror.dir, 'images/noble/current', GZIP);
  execFileSync('tar', ['-C', tree, '--numeric-owner', '-xzf', image, './etc']);
  await writeFile(path.join(tree, 'etc/from-squashfs'), '');
  const name = 'noble-server-cloudimg-amd64.squashfs';
  const options = ['-quiet', '-no-progress', '-comp', 'gzip', '-Xcompression-level', '1'];
  execFileSync('mksquashfs', [tree, path.join(dir, name), ...options]);
  await copyFile(image, path.join(dir, GZIP));
  const sums = execFileSync('sha256sum', ['--binary', name, GZIP], { cwd: dir, encoding: 'utf8' });
  await writeFile(path.join(dir, 'SHA256SUMS'), sums);
  const cache = path.join(rig.dir, 'squashed-cache');
  const env = { DIB_CLOUD_IMAGES: `file://${dir}`, DIB_IMAGE_CACHE: cache };
  const result = await look(env);
  assert.match(said(result), /\(squashfs\) with unsquashfs/);
  assert.ok((await readdir(cache)).includes(name));
  await rm(dir, { recursive: true });
});

const SOURCES = `Types: deb
URIs: http://de.archive.ubuntu.com/ubuntu/
Suites: noble
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: http://security.ubuntu.com/ubuntu https://example.org/ubuntu
Suites: noble-security
`;

/** What 01-set-ubuntu-mirror makes of sources, in an /etc/apt of its own. */
async function setMirror(env: Readonly<Record<string, string>>): Promise<string> {
  await using dir = await withFiles({
    'sources.list.d/ubuntu.sources': SOURCES,
    'apt.conf.d/x': '',
  });
  const run = 'mount --bind "$1" /etc/apt && exec "$2"';
  const script = path.join(ROOT, 'elements/ubuntu/pre-install.d/01-set-ubuntu-mirror');
  const { status, stderr } = await runHook(
    ['unshare', '--mount', 'sh', '-c', run, 'sh', dir.root, script],
    { DIB_UBUNTU_DEFAULT_MIRROR: 'http://archive.ubuntu.com/ubuntu', ...env },
  );
  assert.equal(status, 0, stderr);
  return execFileSync('sh', ['-c', 'cat sources.list.d/* apt.conf.d/*'], {
    cwd: dir.root,
    encoding: 'utf8',
  });
}

const MIRROR = 'https://mirror.example.org/ubuntu';

test("apt is pointed at the mirror instead of at Ubuntu's hosts, and at no other's", async () => {
  const sources = await setMirror({ DIB_DISTRIBUTION_MIRROR: MIRROR, SIGNED_BY: '/my.gpg' });
  assert.equal(
    sources,
    SOURCES.replace('http://de.archive.ubuntu.com/ubuntu/', MIRROR)
      .replace('http://security.ubuntu.com/ubuntu', MIRROR)
      .replace('/usr/share/keyrings/ubuntu-archive-keyring.gpg', '/my.gpg'),
  );
});

test('lines that DIB_DISTRIBUTION_MIRROR_UBUNTU_IGNORE matches stay, and trust is lowered on request only', async () => {
  const sources = await setMirror({
    DIB_DISTRIBUTION_MIRROR: MIRROR,
    DIB_DISTRIBUTION_MIRROR_UBUNTU_IGNORE: '(security|nothing)',
    DIB_DISTRIBUTION_MIRROR_UBUNTU_INSECURE: '1',
    DIB_DISTRIBUTION_MIRROR_VERIFY_HTTPS: '0',
  });
  assert.match(sources, /URIs: http:\/\/security\.ubuntu\.com\/ubuntu https/);
  assert.match(sources, /AllowUnauthenticated "true"/);
  assert.match(sources, /Verify-Peer "false"/);
});

test('with the default mirror the sources of the image stay as they are', async () => {
  const sources = await setMirror({ DIB_DISTRIBUTION_MIRROR: 'http://archive.ubuntu.com/ubuntu' });
  assert.equal(sources, SOURCES);
});

/** Why the real mirrors cannot be asked, or undefined. */
async function unreachable(url: string): Promise<string | undefined> {
  const signal = AbortSignal.timeout(10_000);
  return fetch(url, { method: 'HEAD', signal }).then(
    (answer) => (answer.ok ? undefined : `${url} answers ${answer.status}`),
    (error: Error) => `${url} cannot be reached: ${error.message}`,
  );
}

const REAL = 'https://cloud-images.ubuntu.com/noble/current/SHA256SUMS';
const reason = await unreachable(REAL);

test('the real cloud image is fetched, verified and extracted', {
  skip: reason ?? false,
}, async () => {
  assertLooked(
    await rig.run('disk-image-create', ['-n', 'ubuntu', 'look'], { env: { DIB_RELEASE: 'noble' } }),
  );
});
