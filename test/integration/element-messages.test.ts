/** What elements say when they cannot go on: each message, read where it is printed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, withFiles } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

interface Refusal {
  readonly script: string;
  readonly says: RegExp;
  readonly args?: readonly string[];
  /** `DIR` is the directory of `files`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** 1. */
  readonly status?: number;
}

const LINE = 'set -eu -o pipefail\n';
const MMDEBSTRAP = { 'bin/mmdebstrap': '#!/bin/sh\nexit 9\n' };
const BOOTSTRAP = {
  DISTRO_NAME: 'debian',
  DIB_RELEASE: 'none',
  ARCH: 'amd64',
  TARGET_ROOT: 'DIR',
  TMP_BUILD_DIR: 'DIR',
  TMP_HOOKS_PATH: path.join(ROOT, 'elements/debootstrap'),
  DIB_IMAGE_CACHE: 'DIR/cache',
  DIB_LOCKFILES: 'DIR/locks',
  DIB_APT_LOCAL_CACHE: '0',
  DIB_LOCK_WAIT: '0',
  DIB_FAILURE_FILE: 'DIR/note',
  _LIB: path.join(ROOT, 'hooks/lib'),
};

const ON_HOST: readonly Refusal[] = [
  {
    script: 'debootstrap/root.d/08-debootstrap',
    env: {
      ...BOOTSTRAP,
      // One whose archive this host has not.
      DISTRO_NAME: 'devuan',
      DIB_DEBIAN_DEBOOTSTRAP_SCRIPT: 'x',
    },
    files: { 'bin/debootstrap': '#!/bin/sh\nexit 9\n' },
    says: /^debootstrap: DIB_DEBIAN_DEBOOTSTRAP_SCRIPT needs DIB_DISTRIBUTION_MIRROR too$/m,
  },
  {
    script: 'sysctl/bin/sysctl-set-value',
    args: ['vm.nothing', '1'],
    says: /^Cannot set 'vm\.nothing': this kernel has no such parameter; sysctl-write-value does not ask$/m,
  },
  { script: 'sysctl/bin/sysctl-set-value', says: /^Usage: sysctl-set-value NAME VALUE/m },
  { script: 'sysctl/bin/sysctl-write-value', says: /^Usage: sysctl-write-value NAME VALUE/m },
  { script: 'svc-map/bin/svc-map', says: /^Usage: svc-map SERVICE\.\.\.$/m },
  {
    script: 'dpkg/bin/refresh-package-lists',
    args: ['--bogus'],
    says: /^Usage: refresh-package-lists \[--mark \[ROOT\]\]$/m,
  },
  { script: 'yum/bin/dib-run-dnf', status: 2, says: /^Usage: dib-run-dnf CACHE COMMAND/m },
  {
    script: '../hooks/host-bin/dib-product',
    args: ['a/b', 'file'],
    status: 2,
    says: /^Usage: dib-product SUFFIX FILE; the suffix has letters, digits/m,
  },
  ...['dib-fetch', 'dib-extract', 'dib-unpack-image', 'zx'].map((name) => ({
    script: `../hooks/host-bin/${name}`,
    env: { DIBKIT_NODE: '', DIBKIT_ROOT: '' },
    says: new RegExp(
      `^Cannot run ${name}: DIBKIT_NODE and DIBKIT_ROOT are not set; hooks get them`,
      'm',
    ),
  })),
  {
    script: 'fips/pre-install.d/01-check-fips',
    env: { DISTRO_NAME: 'opensuse' },
    says: /^fips: openSUSE is set up for FIPS mode in another way; see https:/m,
  },
  {
    script: 'fips/pre-install.d/15-setup-fips',
    env: { DISTRO_NAME: 'debian', DIB_RELEASE: 'trixie' },
    says: /^fips: 'debian' trixie has no fips-mode-setup, neither in crypto-policies nor/m,
  },
  {
    script: 'openeuler/root.d/10-openeuler-image',
    env: {
      DIB_LOCAL_IMAGE: 'DIR/image.tar',
      DIB_DISTRIBUTION_MIRROR: 'file:///none',
      TARGET_ROOT: 'DIR',
      TMP_HOOKS_PATH: path.join(ROOT, 'elements/openeuler-common'),
      DIB_IMAGE_CACHE: 'DIR',
      ARCH: 'amd64',
      DIB_RELEASE: '24.03-LTS',
    },
    files: { 'image.tar': '', 'bin/dib-unpack-image': '#!/bin/sh\n' },
    says: /^Cannot use '.*\/image\.tar': it is not openEuler, it has no \/etc\/openEuler-release$/m,
  },
  {
    script: 'growroot/post-install.d/80-growroot',
    env: { DIB_INIT_SYSTEM: 'sysv' },
    says: /^Cannot start growroot with 'sysv': only systemd and openrc are supported$/m,
  },
  {
    script: 'openssh-server/post-install.d/80-enable-sshd-service',
    env: { DIB_INIT_SYSTEM: 'runit', DISTRO_NAME: 'debian' },
    says: /^Cannot enable sshd with 'runit': only systemd, openrc, upstart and sysv are known$/m,
  },
  {
    script: 'openssh-server/post-install.d/99-harden-sshd-config',
    files: { 'bin/ssh': '#!/bin/sh\necho none-that-is-strong\n' },
    says: /^Cannot harden sshd: this OpenSSH knows no mac of ours; DIB_OPENSSH_SERVER_HARDENING=0/m,
  },
];

for (const { script, args = [], env = {}, files = {}, status = 1, says } of ON_HOST) {
  test(`${script} ${args.join(' ')} says ${says.source.slice(0, 60)}`, async () => {
    await using dir = await withFiles({ ...files, '.keep': '' });
    const variables = Object.entries(env).map(([name, value]) => [
      name,
      value.replace('DIR', dir.root),
    ]);
    const argv = [path.join(ROOT, 'elements', script), ...args];
    const result = await runHook(argv, Object.fromEntries(variables), path.join(dir.root, 'bin'));
    assert.match(result.stderr, says);
    assert.equal(result.status, status, result.stderr);
  });
}

const LOCKS: readonly (readonly [
  lock: string,
  what: RegExp,
  env: Readonly<Record<string, string>>,
])[] = [
  ['apt-debian.lock', /the package cache of debian/, {}],
  [
    'debootstrap-debian-none-amd64.tar.gz.lock',
    /.*\/cache\/debootstrap-debian-none-amd64\.tar\.gz/,
    { DIB_DEBOOTSTRAP_CACHE: '1' },
  ],
];

for (const [lock, what, env] of LOCKS) {
  test(`debootstrap: a lock that another build has for too long is told: ${lock}`, async () => {
    await using dir = await withFiles({
      ...MMDEBSTRAP,
      [`locks/${lock}`]: '',
      'cache/.keep': '',
    });
    const hook = path.join(ROOT, 'elements/debootstrap/root.d/08-debootstrap');
    const variables = Object.entries({ ...BOOTSTRAP, ...env }).map(([name, value]) => [
      name,
      value.replace('DIR', dir.root),
    ]);
    const { status, stderr } = await runHook(
      ['flock', path.join(dir.root, 'locks', lock), hook],
      Object.fromEntries(variables),
      path.join(dir.root, 'bin'),
    );
    assert.equal(status, 5, stderr);
    const says = new RegExp(`another build has held ${what.source} for 0 s`, 'i');
    assert.match(
      stderr,
      new RegExp(`^debootstrap: ${says.source} \\('.*/locks/${lock}'\\); try again later$`, 'm'),
    );
    assert.match(await readFile(path.join(dir.root, 'note'), 'utf8'), says);
  });
}

const OTHER_MACHINES: readonly (readonly [element: string, arch: string, other: string])[] = [
  ['block-device-mbr', 'arm64', 'block-device-efi'],
  ['block-device-gpt', 'aarch64', 'block-device-efi'],
  ['block-device-efi', 'ppc64le', 'block-device-mbr'],
  ['block-device-efi-4k', 'ppc64', 'block-device-mbr'],
  ['block-device-efi-lvm', 'ppc64el', 'block-device-mbr'],
];

test('a layout that a machine does not start from is refused, and the one that it does is named', async () => {
  for (const [element, arch, other] of OTHER_MACHINES) {
    const file = path.join(ROOT, 'elements', element, 'environment.d/15-block-device.bash');
    const { status, stderr } = await runHook(['bash', '-c', `${LINE}. ${file}`], { ARCH: arch });
    assert.deepEqual([status, stderr], [1, `Cannot use ${element} for '${arch}': use ${other}\n`]);
  }
});

test('an init system that nobody knows is refused, and those that are known are named', async () => {
  const file = path.join(ROOT, 'elements/dib-init-system/environment.d/99-dib-init-system');
  const source = ['bash', '-c', `${LINE}. ${file}`];
  const { status, stderr } = await runHook(source, { DIB_INIT_SYSTEM: 'runit' });
  assert.equal(status, 1);
  assert.match(stderr, /unknown DIB_INIT_SYSTEM 'runit'; known: systemd upstart openrc sysv$/m);
});

test('devuser: a rule that sudo does not take is removed, and told', async () => {
  const stubs = { useradd: '', usermod: '', visudo: 'echo "parse error" >&2; exit 1' };
  await using target = await openTarget({}, stubs);
  const { status, stderr } = await target.tryHook('devuser/install.d/50-devuser', {
    DIB_DEV_USER_USERNAME: 'a.b',
    DIB_DEV_USER_SHELL: '',
    DIB_DEV_USER_PASSWORD: '',
    DIB_DEV_USER_PWDLESS_SUDO: '1',
  });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^Cannot write a sudo rule for 'a\.b': sudo does not take it, see above; choose another DIB_DEV_USER_USERNAME$/m,
  );
  assert.equal(await target.read('etc/sudoers.d/a_b'), undefined);
});

test('growroot: a partition that cannot grow is told with what growpart ended with', async () => {
  const stubs = {
    findmnt: 'case "$*" in *SOURCE*) echo /vda1 ;; *) echo ext4 ;; esac',
    readlink: 'case "$2" in /sys/*) echo /vda/vda1 ;; *) echo "$2" ;; esac',
    growpart: 'exit 2',
  };
  await using target = await openTarget({ 'vda/vda1/partition': '1\n' }, stubs);
  execFileSync('mknod', [path.join(target.dir, 'vda1'), 'b', '7', '255']);
  const { status, stderr } = await target.tryHook('growroot/static/usr/local/sbin/growroot');
  assert.deepEqual([status, stderr], [1, "Cannot grow partition '/vda1': growpart ended with 2\n"]);
  assert.ok((await target.calls()).includes('growpart /dev/vda 1'));
});

test('growvols: what LVM and lsblk do not say, or say strangely, is told', async () => {
  const program = path.join(ROOT, 'elements/growvols/static/usr/local/sbin/growvols');
  for (const [code, says] of [
    ['run() { false; }; group=; find_group', /vgs has failed, see above/],
    ['run() { false; }; group=vg; find_pool', /lvs has failed, see above/],
    [
      'run() { printf "%s\\n" "p /dev/p twi-" "a /dev/a Vwi- q"; }; group=vg; find_pool',
      /all volumes must be in one thin pool, but 'a' is not in 'p'/,
    ],
    ['read_devices <<<"nonsense"', /cannot read what lsblk says: nonsense/],
  ] as const) {
    const { status, stderr } = await runHook(['bash', '-c', `. ${program}; ${code}`]);
    assert.match(stderr, says);
    assert.notEqual(status, 0, code);
  }
});

test('bootloader: packages that have brought no GRUB are told', async () => {
  const file = path.join(ROOT, 'elements/bootloader/finalise.d/50-bootloader');
  const script = await readFile(file, 'utf8');
  const functions = script.slice(0, script.lastIndexOf('\ncheck_request\n'));
  assert.notEqual(functions, script);
  await using target = await openTarget({ 'usr/lib/grub/i386-pc/normal.mod': '' });
  const env = { ARCH: 'amd64', DIB_ROOT_LABEL: 'root', DIB_ROOT_FSTYPE: 'ext4' };
  for (const [call, says] of [
    [
      'PATH=/boot; find_grub',
      /^Cannot find grub-mkconfig or grub2-mkconfig after installing GRUB/m,
    ],
    ['GRUB=grub; install_in_tree', /^Cannot find GRUB for BIOS in '\/usr\/lib\/grub\/i386-pc'$/m],
  ] as const) {
    const { status, stderr } = await target.run(`${functions}\n${call}\n`, [], env);
    assert.match(stderr, says);
    assert.equal(status, 1);
  }
});
