/** The hooks that every build gets: hooks/, run on small trees. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HOOKS = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../hooks');

function makeTree(context: TestContext): string {
  const tree = mkdtempSync(path.join(tmpdir(), 'dibkit implicit-'));
  context.after(() => rmSync(tree, { recursive: true }));
  for (const dir of ['etc', 'tmp', 'root/deep', 'var/log/deep']) {
    mkdirSync(path.join(tree, dir), { recursive: true });
  }
  return tree;
}

function run(argv: readonly [string, ...string[]], env: Readonly<Record<string, string>>) {
  const [file, ...args] = argv;
  return spawnSync(file, args, { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
}

/** Runs one hook on a tree and asserts that it succeeds. */
function hook(name: string, tree: string): void {
  const told = run([path.join(HOOKS, name)], { TMP_MOUNT_PATH: tree, TARGET_ROOT: tree });
  assert.deepEqual([told.status, told.stderr], [0, '']);
}

const SET_UP = 'extra-data.d/00-00-dib-resolv-conf';
const RESTORE = 'cleanup.d/9998-dib-resolv-conf';
const CLEAN = 'cleanup.d/9999-dib-clean-tree';

const hostConf = existsSync('/etc/resolv.conf')
  ? readFileSync('/etc/resolv.conf', 'utf8')
  : 'nameserver 8.8.8.8\n';

/** What is in /etc of a tree: name to content, links as `-> destination`. */
function etc(tree: string): Record<string, string> {
  const dir = path.join(tree, 'etc');
  return Object.fromEntries(
    readdirSync(dir).map((name) => {
      const file = path.join(dir, name);
      return lstatSync(file).isSymbolicLink()
        ? [name, `-> ${readlinkSync(file)}`]
        : [name, readFileSync(file, 'utf8')];
    }),
  );
}

type Change = (conf: string) => void;
const write =
  (text: string, suffix = ''): Change =>
  (conf) =>
    writeFileSync(conf + suffix, text);
const link: Change = (conf) => {
  rmSync(conf, { force: true });
  symlinkSync('/nowhere/stub', conf);
};

const RESOLV_CONF: readonly {
  claim: string;
  before: Change;
  during: Change;
  after: Record<string, string>;
}[] = [
  { claim: 'goes when there was none', before: () => {}, during: () => {}, after: {} },
  {
    claim: "is the target's own again",
    before: write('own'),
    during: write('scribble'),
    after: { 'resolv.conf': 'own' },
  },
  {
    claim: 'is the dangling link again that it was',
    before: link,
    during: () => {},
    after: { 'resolv.conf': '-> /nowhere/stub' },
  },
  {
    claim: 'stays the link that an element made of it',
    before: write('own'),
    during: link,
    after: { 'resolv.conf': '-> /nowhere/stub' },
  },
  {
    claim: 'becomes what an element wrote as .ORIG',
    before: () => {},
    during: write('chosen', '.ORIG'),
    after: { 'resolv.conf': 'chosen' },
  },
];

for (const { claim, before, during, after } of RESOLV_CONF) {
  test(`resolv.conf is the host's during a build, and afterwards ${claim}`, (context) => {
    const tree = makeTree(context);
    const conf = path.join(tree, 'etc/resolv.conf');
    before(conf);
    hook(SET_UP, tree);
    assert.equal(readFileSync(conf, 'utf8'), hostConf);
    assert.equal(lstatSync(conf).mode & 0o7777, 0o777);
    during(conf);
    hook(RESTORE, tree);
    assert.deepEqual(etc(tree), after);
  });
}

test('an immutable resolv.conf stays', (context) => {
  const tree = makeTree(context);
  const conf = path.join(tree, 'etc/resolv.conf');
  writeFileSync(conf, 'own');
  hook(SET_UP, tree);
  writeFileSync(conf, 'mine for good');
  assert.equal(run(['chattr', '+i', conf], {}).status, 0);
  try {
    hook(RESTORE, tree);
    assert.deepEqual(etc(tree), { 'resolv.conf': 'mine for good' });
  } finally {
    run(['chattr', '-i', conf], {});
  }
});

test('the set-up of resolv.conf runs before the other hooks of its phase', () => {
  const names = [
    '00-mount-pypi-mirror',
    '01-x',
    'x',
    '99-squash-package-install',
    SET_UP.slice(13),
  ];
  const sorted = spawnSync('sort', ['-n'], {
    input: names.join('\n'),
    encoding: 'utf8',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  }).stdout.split('\n');
  assert.equal(sorted[0], '00-00-dib-resolv-conf');
});

test('cleaning empties /tmp, truncates logs and removes the logs of root, and nothing else', (context) => {
  const tree = makeTree(context);
  const outside = mkdtempSync(path.join(tmpdir(), 'dibkit-implicit-'));
  context.after(() => rmSync(outside, { recursive: true }));
  for (const name of ['kept.log', 'kept']) {
    writeFileSync(path.join(outside, name), 'precious');
  }
  symlinkSync(outside, path.join(tree, 'tmp/link'));
  symlinkSync(outside, path.join(tree, 'var/log/link'));
  symlinkSync(outside, path.join(tree, 'root/link'));
  for (const name of [
    'tmp/-rf',
    'tmp/.hidden',
    'var/log/a.log',
    'var/log/deep/b 1',
    'root/deep/c.log',
    'root/kept',
  ]) {
    writeFileSync(path.join(tree, name), 'text');
  }
  hook(CLEAN, tree);
  assert.deepEqual(readdirSync(path.join(tree, 'tmp')), []);
  assert.deepEqual(readdirSync(path.join(tree, 'var/log')).sort(), ['a.log', 'deep', 'link']);
  assert.equal(readFileSync(path.join(tree, 'var/log/a.log'), 'utf8'), '');
  assert.equal(readFileSync(path.join(tree, 'var/log/deep/b 1'), 'utf8'), '');
  assert.deepEqual(readdirSync(path.join(tree, 'root/deep')), []);
  assert.equal(readFileSync(path.join(tree, 'root/kept'), 'utf8'), 'text');
  assert.deepEqual(readdirSync(outside).sort(), ['kept', 'kept.log']);
  assert.equal(readFileSync(path.join(outside, 'kept.log'), 'utf8'), 'precious');
});

test('cleaning takes down what is mounted below /tmp and spares what was mounted there', (context) => {
  const tree = makeTree(context);
  const script = `
    set -eu
    for dir in 'a b' 'a b/inner'; do
      mkdir -p "$TARGET_ROOT/tmp/$dir"
      mount -t tmpfs tmpfs "$TARGET_ROOT/tmp/$dir"
    done
    mkdir "$TARGET_ROOT/precious" "$TARGET_ROOT/tmp/bound"
    echo text >"$TARGET_ROOT/precious/file"
    mount --bind "$TARGET_ROOT/precious" "$TARGET_ROOT/tmp/bound"
    "$HOOK"
    cut -d' ' -f5 /proc/self/mountinfo | grep -F /tmp/bound || true`;
  const told = run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script], {
    TARGET_ROOT: tree,
    HOOK: path.join(HOOKS, CLEAN),
  });
  assert.deepEqual([told.status, told.stderr], [0, '']);
  assert.equal(told.stdout.match(/^Unmount /gm)?.length, 3);
  assert.doesNotMatch(told.stdout, /^\//m);
  assert.deepEqual(readdirSync(path.join(tree, 'tmp')), []);
  assert.equal(readFileSync(path.join(tree, 'precious/file'), 'utf8'), 'text\n');
});

test('cleaning takes away the lost+found of an unpacked file system, and leaves that of a disk', (context) => {
  const tree = makeTree(context);
  const found = path.join(tree, 'lost+found');
  mkdirSync(path.join(found, '#12'), { recursive: true });
  const told = run([path.join(HOOKS, CLEAN)], { TARGET_ROOT: tree, DIB_DISK_MODE: 'device' });
  assert.equal(told.status, 0, told.stderr);
  assert.ok(existsSync(found));
  hook(CLEAN, tree);
  assert.ok(!existsSync(found));
});

test('cleaning refuses the root of this machine', () => {
  const told = run([path.join(HOOKS, CLEAN)], { TARGET_ROOT: '/usr/..' });
  assert.equal(told.status, 1);
  assert.match(told.stderr, /Cannot clean/);
});

const PACKAGES: readonly { asked: string | undefined; got: string }[] = [
  { asked: undefined, got: '' },
  { asked: ' ', got: '' },
  { asked: 'vim  less', got: 'vim|less|' },
];

for (const { asked, got } of PACKAGES) {
  test(`packages asked for with -p as ${JSON.stringify(asked)} reach install-packages as '${got}'`, (context) => {
    const tree = makeTree(context);
    const stand = path.join(tree, 'install-packages');
    writeFileSync(stand, '#!/bin/sh\nprintf "%s|" "$@"\n', { mode: 0o755 });
    const told = run([path.join(HOOKS, 'install.d/9999-dib-install-packages')], {
      PATH: `${tree}:${process.env.PATH}`,
      ...(asked === undefined ? {} : { DIBKIT_PACKAGES: asked }),
    });
    assert.deepEqual([told.status, told.stderr, told.stdout], [0, '', got]);
  });
}

test('packages asked for with -p where nothing can install them are an error', () => {
  const told = run([path.join(HOOKS, 'install.d/9999-dib-install-packages')], {
    DIBKIT_PACKAGES: 'vim',
  });
  assert.equal(told.status, 1);
  assert.match(told.stderr, /Cannot install vim/);
});

const LIBRARY: readonly { claim: string; script: string; status: number; says: RegExp }[] = [
  {
    claim: 'die fails even after a command that succeeded',
    script: 'source "$_LIB/die"; true; die "no luck"',
    status: 1,
    says: /^no luck$/m,
  },
  {
    claim: 'die comes with common-functions, in child shells too',
    script: 'source "$_LIB/common-functions"; bash -c "die gone"',
    status: 1,
    says: /^gone$/m,
  },
  {
    claim: 'mount_dev_pts_options gives words for mount',
    script: 'source "$_LIB/common-functions"; mount_dev_pts_options',
    status: 0,
    says: /^-o \S+$/m,
  },
  {
    claim: 'img-defaults keeps what is set and fills in the rest',
    script: 'ARCH=mips; source "$_LIB/img-defaults"; echo "$ARCH $FS_TYPE $IMAGE_TYPE $IMAGE_NAME"',
    status: 0,
    says: /^mips ext4 qcow2 image$/m,
  },
  {
    claim: 'select_boot_kernel_initrd finds the newest pair of a Debian tree',
    script: `mkdir "$T/boot"; touch "$T/etc/debian_version" \
      "$T"/boot/{vmlinuz,initrd.img}-6.{9,10}; source "$_LIB/img-functions"
      select_boot_kernel_initrd "$T"; echo "$KERNEL $RAMDISK $BOOTDIR"`,
    status: 0,
    says: /^vmlinuz-6\.10 initrd\.img-6\.10 .*\/boot$/m,
  },
  {
    claim: 'select_boot_kernel_initrd passes over debug kernels of a Red Hat tree',
    script: `mkdir "$T/boot"; touch "$T/etc/redhat-release" \
      "$T"/boot/vmlinuz-{5,6,6.debug} "$T"/boot/initramfs-{5,6}.img; source "$_LIB/img-functions"
      select_boot_kernel_initrd "$T"; echo "$KERNEL $RAMDISK"`,
    status: 0,
    says: /^vmlinuz-6 initramfs-6\.img$/m,
  },
  {
    claim: 'select_boot_kernel_initrd fails where there is no kernel',
    script: `mkdir "$T/boot"; touch "$T/etc/debian_version"; source "$_LIB/img-functions"
      select_boot_kernel_initrd "$T"`,
    status: 1,
    says: /Cannot find a kernel/,
  },
];

for (const { claim, script, status, says } of LIBRARY) {
  test(`lib: ${claim}`, (context) => {
    const told = run(['bash', '-euo', 'pipefail', '-c', script], {
      _LIB: path.join(HOOKS, 'lib'),
      T: makeTree(context),
    });
    assert.match(told.stdout + told.stderr, says);
    assert.equal(told.status, status);
  });
}
