/** Elements of a hook or two, each hook run by itself in a root of its own. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

const script = (name: string): string => path.join(ROOT, 'elements', name);
const element = (name: string): Promise<string> => readFile(script(name), 'utf8');

/** What hooks on the host are told; `elements` are names of directories in `dir`/elements. */
function host(dir: TestDirectory, elements: readonly string[] = []): Record<string, string> {
  const places = elements.map((name) => [name, `${dir.root}/elements/${name}`]);
  const array = places.map(([name, place]) => `[${name}]=${place}`).join(' ');
  return {
    TARGET_ROOT: `${dir.root}/target`,
    TMP_MOUNT_PATH: `${dir.root}/target`,
    TMP_HOOKS_PATH: `${dir.root}/hooks`,
    _LIB: path.join(ROOT, 'hooks/lib'),
    IMAGE_ELEMENT_YAML: `{${places.map(([name, place]) => `${name}: ${place}`).join(', ')}}`,
    'BASH_FUNC_get_image_element_array%%': `() { echo '${array}'; }`,
  };
}

async function target(dir: TestDirectory, name: string): Promise<string | undefined> {
  return readFile(path.join(dir.root, 'target', name), 'utf8').catch(() => undefined);
}

const KERNELS = {
  'target/etc/openEuler-release': 'openEuler release 22.03 LTS\n',
  'target/boot/vmlinuz-5.10.0-60': 'old kernel',
  'target/boot/initramfs-5.10.0-60.img': 'old initrd',
  'target/boot/config-5.10.0-60': '',
  'target/boot/symvers-5.10.0-60.gz': '',
  'target/boot/.vmlinuz-5.10.0-60.hmac': '',
  'target/boot/vmlinuz-5.10.0-60.1': 'new kernel',
  'target/boot/initramfs-5.10.0-60.1.img': 'new initrd',
  'target/boot/config-5.10.0-60.1': '',
};

test('baremetal: kernel and initial RAM disk of the newest kernel lie beside the image', async () => {
  await using dir = await withFiles(KERNELS);
  const hook = script('baremetal/cleanup.d/99-extract-kernel-and-ramdisk');
  const image = `${dir.root}/my image`;
  const { status, stderr } = await runHook([hook], { ...host(dir), IMAGE_NAME: image });
  assert.equal(status, 0, stderr);
  assert.equal(await readFile(`${image}.vmlinuz`, 'utf8'), 'new kernel');
  assert.equal(await readFile(`${image}.initrd`, 'utf8'), 'new initrd');
  assert.equal((await stat(`${image}.initrd`)).mode & 0o777, 0o644);
});

test('cleanup-kernel-initrd: all files of older kernels go, and none of the newest', async () => {
  await using dir = await withFiles(KERNELS);
  const hook = script('cleanup-kernel-initrd/cleanup.d/99-cleanup-kernel-initrd');
  const { status, stdout, stderr } = await runHook([hook], host(dir));
  assert.equal(status, 0, stderr);
  assert.equal(stdout.match(/^Removing \/boot\//gm)?.length, 5, stdout);
  for (const [name, content] of Object.entries(KERNELS)) {
    const kept = !name.startsWith('target/boot/') || name.includes('-60.1');
    assert.equal(await target(dir, name.slice(7)), kept ? content : undefined, name);
  }
});

test('select-boot-kernel-initrd names both, and is gone with the build', async () => {
  await using dir = await withFiles({ 'target/lib/diskimage-builder/theirs': '' });
  const copy = script('select-boot-kernel-initrd/extra-data.d/99-copy-dib-img-functions');
  assert.equal((await runHook([copy], host(dir))).status, 0);
  const functions = (await target(dir, 'lib/diskimage-builder/img-functions')) ?? '';
  const remove = script('select-boot-kernel-initrd/cleanup.d/99-remove-dib-img-functions');
  assert.equal((await runHook([remove], host(dir))).status, 0);
  assert.equal(await target(dir, 'lib/diskimage-builder/img-functions'), undefined);
  assert.equal(await target(dir, 'lib/diskimage-builder/theirs'), '');

  const boot = Object.entries(KERNELS).map(([name, content]) => [name.slice(7), content]);
  await using root = await openTarget({ ...Object.fromEntries(boot), functions });
  const select = 'select-boot-kernel-initrd/bin/select-boot-kernel-initrd';
  const prepared = (await element(select)).replace('/lib/diskimage-builder/img-', '/');
  const { status, stdout, stderr } = await root.run(prepared);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, 'vmlinuz-5.10.0-60.1:initramfs-5.10.0-60.1.img\n');
});

const DRACUT = {
  dracut: 'case "$*" in --list-modules*) printf "lvm\\ncrypt\\nbase\\n" ;; esac',
  'select-boot-kernel-initrd': 'echo vmlinuz-5.10:initramfs-5.10.img',
  'install-packages': '',
};

async function dracut(modules: string, files: Readonly<Record<string, string>> = {}) {
  await using dir = await withFiles({ 'elements/e/dracut.conf.d/50-e.conf': 'x', 'hooks/x': '' });
  const prepare = script('dracut-regenerate/extra-data.d/50-dracut-conf');
  const env = {
    ...host(dir, files.none === undefined ? ['e'] : []),
    DIB_DRACUT_ENABLED_MODULES: modules,
  };
  const { status, stderr } = await runHook([prepare], env);
  if (status !== 0) {
    return { status, stderr, calls: [] };
  }
  assert.equal(
    await target(dir, 'etc/dracut.conf.d/50-e.conf'),
    files.none === undefined ? 'x' : undefined,
  );
  const list = await readFile(`${dir.root}/hooks/dracut-modules`, 'utf8');
  const conf: Record<string, string> =
    files.none === undefined ? { 'etc/dracut.conf.d/50-e.conf': 'x' } : {};
  await using root = await openTarget({ 'tmp/in_target.d/dracut-modules': list, ...conf }, DRACUT);
  const result = await root.tryHook('dracut-regenerate/finalise.d/50-dracut-regenerate');
  return { ...result, calls: await root.calls() };
}

test('dracut-regenerate: the RAM disk gets the modules, after the packages that they need', async () => {
  const given = await element('dracut-regenerate/environment.d/10-dracut-regenerate');
  const shown = await runHook(['bash', '-euc', `${given}\necho "$DIB_DRACUT_ENABLED_MODULES"`]);
  const { status, stderr, calls } = await dracut(shown.stdout);
  assert.equal(status, 0, stderr);
  assert.deepEqual(calls, [
    'install-packages cryptsetup lvm2',
    'select-boot-kernel-initrd',
    'dracut --list-modules --kver 5.10',
    'dracut --list-modules --kver 5.10',
    'dracut --force --no-hostonly --add crypt lvm /boot/initramfs-5.10.img 5.10',
  ]);
});

test('dracut-regenerate: settings alone are reason enough, and without either nothing is done', async () => {
  const settings = await dracut('[]');
  assert.deepEqual(settings.calls.slice(1), [
    'dracut --force --no-hostonly /boot/initramfs-5.10.img 5.10',
  ]);
  const neither = await dracut('', { none: '' });
  assert.deepEqual([neither.status, neither.calls], [0, []]);
});

const BAD_MODULES: readonly (readonly [string, RegExp])[] = [
  ['- name: nonesuch', /dracut has no module 'nonesuch'/],
  ['lvm', /it is no list/],
  ['- lvm', /entry 1 has no name/],
  ['- name: lvm\n- packages: [lvm2]', /entry 2 has no name/],
  ['- name: [', /DIB_DRACUT_ENABLED_MODULES: /],
];
for (const [modules, says] of BAD_MODULES) {
  test(`dracut-regenerate refuses ${JSON.stringify(modules)}`, async () => {
    const { status, stderr } = await dracut(modules);
    assert.equal(status, 1);
    assert.match(stderr, says);
  });
}

test('modprobe copies the settings of elements, and blacklists', async () => {
  await using dir = await withFiles({
    'elements/a/modprobe.d/a.conf': 'options a x=1\n',
    'elements/b/x': '',
  });
  const copy = await runHook(
    [script('modprobe/extra-data.d/50-modprobe-blacklist')],
    host(dir, ['a', 'b']),
  );
  assert.equal(copy.status, 0, copy.stderr);
  assert.equal(await target(dir, 'etc/modprobe.d/a.conf'), 'options a x=1\n');
  await using root = await openTarget({ 'etc/modprobe.d/blacklist.conf': 'blacklist old\n' });
  const env = { DIB_MODPROBE_BLACKLIST: ' igb  nouveau' };
  await root.hook('modprobe/install.d/80-modprobe-blacklist', env);
  const list = 'blacklist old\nblacklist igb\nblacklist nouveau\n';
  assert.equal(await root.read('etc/modprobe.d/blacklist.conf'), list);
  await root.hook('modprobe/install.d/80-modprobe-blacklist');
  assert.equal(await root.read('etc/modprobe.d/blacklist.conf'), list);
});

test('disable-nouveau: the settings go where modprobe and dracut take them from', async () => {
  await using dir = await withFiles({ 'hooks/x': '' });
  const env = {
    ...host(dir),
    IMAGE_ELEMENT_YAML: `{disable-nouveau: ${script('disable-nouveau')}}`,
    'BASH_FUNC_get_image_element_array%%': `() { echo '[disable-nouveau]=${script('disable-nouveau')}'; }`,
  };
  for (const hook of [
    'modprobe/extra-data.d/50-modprobe-blacklist',
    'dracut-regenerate/extra-data.d/50-dracut-conf',
  ]) {
    const { status, stderr } = await runHook([script(hook)], env);
    assert.equal(status, 0, stderr);
  }
  const settings = await target(dir, 'etc/modprobe.d/disable-nouveau.conf');
  assert.equal(settings, 'blacklist nouveau\noptions nouveau modeset=0\n');
  const dracutSettings = await target(dir, 'etc/dracut.conf.d/disable-nouveau.conf');
  assert.match(dracutSettings ?? '', /^omit_drivers\+=" nouveau "$/m);
});

test('modprobe-blacklist wants to be told what', async () => {
  const hook = script('modprobe-blacklist/extra-data.d/49-modprobe-blacklist-asked');
  const { status, stderr } = await runHook([hook]);
  assert.equal(status, 1);
  assert.match(stderr, /DIB_MODPROBE_BLACKLIST is not set/);
  assert.equal((await runHook([hook], { DIB_MODPROBE_BLACKLIST: 'igb' })).status, 0);
});

test('sysctl: a parameter is written once, and a contradiction ends the build', async () => {
  const write = await element('sysctl/bin/sysctl-write-value');
  await using root = await openTarget({ 'stubs/sysctl-write-value': write });
  const set = await element('sysctl/bin/sysctl-set-value');
  const run = (...args: readonly string[]) => root.run(set, args);
  assert.equal((await run('net.ipv4.ip_forward', '1', 'For guests')).status, 0);
  const file = 'etc/sysctl.d/net.ipv4.ip_forward.conf';
  assert.equal(await root.read(file), '# For guests\nnet.ipv4.ip_forward = 1\n');
  assert.equal((await run('net.ipv4.ip_forward', '1')).status, 0);
  const other = await run('net.ipv4.ip_forward', '0');
  assert.deepEqual(
    [other.status, await root.read(file)],
    [1, '# For guests\nnet.ipv4.ip_forward = 1\n'],
  );
  assert.match(other.stderr, /Cannot set net\.ipv4\.ip_forward to '0'.*ip_forward = 1/s);
  const unknown = await run('net.no_such', '1');
  assert.match(unknown.stderr, /no such parameter/);
  assert.equal((await root.run(write, ['net.no_such', '1'])).status, 0);
  assert.equal((await run('net.ipv4.ip_forward')).status, 1);
});

test('selinux, journal and interface names are set as their elements say', async () => {
  await using root = await openTarget({
    'etc/selinux/config': '# SELINUX= is one of\nSELINUX=enforcing\nSELINUXTYPE=targeted\n',
    'etc/udev/rules.d/x': '',
  });
  await root.hook('disable-selinux/post-install.d/15-disable-selinux');
  assert.equal(
    await root.read('etc/selinux/config'),
    '# SELINUX= is one of\nSELINUX=disabled\nSELINUXTYPE=targeted\n',
  );
  await root.hook('journal-to-console/post-install.d/30-journal-to-console');
  assert.equal(
    await root.read('etc/systemd/journald.conf.d/log-to-console.conf'),
    '[Journal]\nForwardToConsole=true\n',
  );
  await symlink('/dev/null', path.join(root.dir, 'etc/udev/rules.d/80-net-name-slot.rules'));
  await root.hook('stable-interface-names/install.d/02-stable-interface-names');
  assert.deepEqual(await root.files('etc/udev/rules.d'), ['x']);
  await using plain = await openTarget();
  await plain.hook('disable-selinux/post-install.d/15-disable-selinux');
  await plain.hook('stable-interface-names/install.d/02-stable-interface-names');
});

const REPLACED = [
  ['apt-sources/extra-data.d/99-override-default-apt-sources', 'DIB_APT_SOURCES', 'sources.list'],
  ['apt-conf/extra-data.d/99-override-default-apt-conf', 'DIB_APT_CONF', 'apt.conf'],
] as const;
for (const [hook, variable, file] of REPLACED) {
  test(`${variable} names a file for /etc/apt/${file}, which a link may be`, async () => {
    await using dir = await withFiles({
      'target/etc/apt/sources.list': 'own\n',
      'my file': 'mine\n',
    });
    const before = await target(dir, `etc/apt/${file}`);
    const run = (value: Record<string, string>) =>
      runHook([script(hook)], { ...host(dir), ...value });
    assert.equal((await run({})).status, 0);
    assert.equal(await target(dir, `etc/apt/${file}`), before);
    const missing = await run({ [variable]: `${dir.root}/none` });
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, new RegExp(`Cannot use '.*none' \\(${variable}\\)`));
    await symlink('my file', `${dir.root}/link`);
    assert.equal((await run({ [variable]: `${dir.root}/link` })).status, 0);
    assert.equal(await target(dir, `etc/apt/${file}`), 'mine\n');
  });
}

test('apt-preferences pins every package of a manifest', async () => {
  const packages = [
    { package: 'a', version: '1:2.0-1', arch: 'amd64', status: 'install ok installed' },
    { package: 'b', version: '3', arch: 'all', status: 'install ok installed' },
  ];
  await using dir = await withFiles({ manifest: JSON.stringify({ packages }), broken: '{' });
  const hook = script('apt-preferences/extra-data.d/99-set-apt-package-pins');
  const run = (file: string) =>
    runHook([hook], { ...host(dir), ...(file && { DIB_DPKG_MANIFEST: `${dir.root}/${file}` }) });
  assert.equal((await run('')).status, 0);
  assert.equal(await target(dir, 'etc/apt/preferences'), undefined);
  for (const bad of ['none', 'broken']) {
    const { status, stderr } = await run(bad);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`Cannot use '.*${bad}' \\(DIB_DPKG_MANIFEST\\)`));
  }
  assert.equal((await run('manifest')).status, 0);
  assert.equal(
    await target(dir, 'etc/apt/preferences'),
    'Package: a\nPin: version 1:2.0-1\nPin-Priority: 1001\n\n' +
      'Package: b\nPin: version 3\nPin-Priority: 1001\n\n',
  );
});

test('cloud-init is told of no cloud, of partitions that grow, or of none', async () => {
  await using root = await openTarget({
    'etc/cloud/cloud.cfg':
      'cloud_init_modules:\n - growpart\n - resizefs\n  - growpart-x\n - ssh\n',
  });
  await root.hook('cloud-init-nocloud/install.d/05-inject-local-source-data');
  assert.deepEqual(await root.files('var/lib/cloud/seed/nocloud'), ['meta-data', 'user-data']);
  const grow = 'cloud-init-growpart/post-install.d/55-growpart';
  assert.match((await root.tryHook(grow)).stderr, /DIB_CLOUD_INIT_GROWPART_DEVICES is not set/);
  const env = { DIB_CLOUD_INIT_GROWPART_DEVICES: "['/', /dev/vda3]" };
  assert.match((await root.tryHook(grow, env)).stderr, /add the element cloud-init/);
  await mkdir(path.join(root.dir, 'etc/cloud/cloud.cfg.d'));
  await root.hook(grow, env);
  const config = (await root.read('etc/cloud/cloud.cfg.d/55-growpart.cfg')) ?? '';
  assert.match(config, /^growpart:\n {2}mode: auto\n {2}devices: \['\/', \/dev\/vda3\]\n/m);
  await root.hook('cloud-init-disable-resizefs/post-install.d/50-cloud-init-disable-resizefs');
  await root.hook('cloud-init-disable-resizefs/post-install.d/51-cloud-init-disable-growpart');
  assert.equal(
    await root.read('etc/cloud/cloud.cfg'),
    'cloud_init_modules:\n  - growpart-x\n - ssh\n',
  );
});

const HASH = '$6$salt$hash';
const LOGINS: readonly {
  readonly claim: string;
  readonly arguments: string;
  readonly password?: string;
  readonly key?: string;
}[] = [
  {
    claim: 'a quoted key and a password',
    arguments: `ro sshkey="ssh-rsa AAAA me@x" rootpwd="${HASH}" quiet`,
    password: HASH,
    key: 'ssh-rsa AAAA me@x\n',
  },
  {
    claim: 'a password in base64, unquoted',
    arguments: `rootpwd=${Buffer.from(HASH).toString('base64')} ro`,
    password: HASH,
  },
  { claim: 'neither where neither is given', arguments: 'ro notsshkey="x" root=LABEL=x' },
];
for (const { claim, arguments: given, password, key } of LOGINS) {
  test(`dynamic-login gives root ${claim}`, async () => {
    await using root = await openTarget({ cmdline: `${given}\n` }, { chpasswd: 'cat >>/calls' });
    const program = await element('dynamic-login/static/usr/local/bin/dynamic-login');
    const { status, stderr } = await root.run(program, [], { CMDLINE: '/cmdline' });
    assert.equal(status, 0, stderr);
    const called = password === undefined ? [] : ['chpasswd --encrypted', `root:${password}`];
    assert.deepEqual(await root.calls(), called);
    assert.equal(await root.read('root/.ssh/authorized_keys'), key);
    if (key !== undefined) {
      assert.equal(await root.mode('root/.ssh/authorized_keys'), '600');
      assert.equal(await root.mode('root/.ssh'), '700');
    }
  });
}
