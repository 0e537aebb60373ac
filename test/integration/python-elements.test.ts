/** Elements about Python in the image, and about what only some distributions have: EPEL, FIPS mode, GRUB's packages. */
import assert from 'node:assert/strict';
import { copyFile, readFile, readlink, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook } from '../rig/run-hook.ts';
import { openTarget, type TargetRoot } from '../rig/target-root.ts';

type Variables = Readonly<Record<string, string>>;

const readElement = (name: string): Promise<string> =>
  readFile(path.join(ROOT, 'elements', name), 'utf8');

/** Sources files of environment.d and prints variables; an unset one is `-`. */
function environment(files: readonly string[], names: readonly string[], env: Variables) {
  const sources = files.map((file) => `. ${ROOT}/elements/${file}`).join('; ');
  const shown = names.map((name) => `"\${${name}--}"`).join(' ');
  return runHook(['bash', '-euc', `${sources}; printf '%s\\n' ${shown}`], env);
}

const PYTHON = 'dib-python/environment.d/50-dib-python-version';
const VERSIONS: readonly (readonly [distribution: string, release: string, version: string])[] = [
  ['debian', 'bookworm', '3'],
  ['debian', 'stretch', '2'],
  ['ubuntu', 'trusty', '2'],
  ['ubuntu', 'noble', '3'],
  ['fedora', '22', '2'],
  ['fedora', '40', '3'],
  ['centos', '9-stream', '3'],
  ['centos', '7', '2'],
  ['opensuse', '42.3', '2'],
  ['openeuler', '24.03-LTS', '3'],
];

test('dib-python: Python is 3, but for releases from before', async () => {
  const told = await Promise.all(
    VERSIONS.map(async ([DISTRO_NAME, DIB_RELEASE]) => {
      const names = ['DIB_PYTHON_VERSION', 'DIB_PYTHON'];
      const { stdout } = await environment([PYTHON], names, { DISTRO_NAME, DIB_RELEASE });
      return stdout;
    }),
  );
  assert.deepEqual(
    told,
    VERSIONS.map(([, , version]) => `${version}\npython${version}\n`),
  );
  const asked = await environment([PYTHON], ['DIB_PYTHON'], { DIB_PYTHON_VERSION: '2' });
  assert.equal(asked.stdout, 'python2\n');
  const bad = await environment([PYTHON], [], { DIB_PYTHON_VERSION: '4' });
  assert.deepEqual(
    [bad.status, bad.stderr],
    [1, "dib-python: DIB_PYTHON_VERSION is '4'; give 2 or 3\n"],
  );
});

const LINK = 'dib-python/pre-install.d/01-dib-python';
const ENV = { DIB_PYTHON_VERSION: '3', DIB_PYTHON: 'python3', PATH: '/stubs:/usr/bin' };

/** A target whose /usr/bin is its own and has hardly anything: neither Python nor apt of this machine. */
async function bareTarget(stubs: Variables, files: Variables = {}): Promise<TargetRoot> {
  const target = await openTarget({ 'usr/bin/x': '', ...files }, stubs);
  for (const tool of ['sh', 'bash', 'ln', 'mkdir', 'chmod']) {
    await copyFile(`/usr/bin/${tool}`, path.join(target.dir, 'usr/bin', tool));
  }
  return target;
}

async function links(target: TargetRoot): Promise<readonly (string | undefined)[]> {
  const names = ['usr/local/bin/dib-python', 'usr/bin/dib-python'];
  return Promise.all(
    names.map((name) => readlink(path.join(target.dir, name)).catch(() => undefined)),
  );
}

test('dib-python: a name for the Python of the distribution, until the end of the build', async () => {
  await using target = await bareTarget({ python3: '' });
  await target.hook(LINK, ENV);
  assert.deepEqual(await links(target), ['/stubs/python3', '/stubs/python3']);
  const cleanup = path.join(ROOT, 'elements/dib-python/cleanup.d/50-dib-python');
  assert.equal((await runHook([cleanup], { TARGET_ROOT: target.dir })).status, 0);
  assert.deepEqual(await links(target), [undefined, undefined]);
});

test("dib-python: Enterprise Linux has one for the system's scripts, Debian one to install", async () => {
  const own = { 'usr/libexec/platform-python': '#!/bin/sh\n' };
  await using redhat = await bareTarget({ python3: '' }, own);
  await redhat.hook(LINK, ENV);
  assert.equal((await links(redhat))[0], '/usr/libexec/platform-python');

  const install = 'case $1 in install) : >/stubs/python3; chmod +x /stubs/python3 ;; esac';
  await using debian = await bareTarget({ 'apt-get': install });
  await debian.hook(LINK, ENV);
  assert.equal((await links(debian))[0], '/stubs/python3');
  assert.deepEqual(await debian.calls(), [
    'apt-get update',
    'apt-get install --assume-yes --no-install-recommends python3',
  ]);
});

test('dib-python: without any the build ends', async () => {
  await using target = await bareTarget({});
  const { status, stderr } = await target.tryHook(LINK, ENV);
  assert.equal(status, 1);
  assert.match(stderr, /^dib-python: there is no python3 in the image; install it [^\n]*\n$/);
});

const PIP = 'pip-and-virtualenv/environment.d/51-pip-and-virtualenv-default.bash';
const PIP_TYPE = 'DIB_INSTALLTYPE_pip_and_virtualenv';

test('pip-and-virtualenv: packages unless the latest are asked for, which not all can have', async () => {
  const type = async (env: Variables) => environment([PIP], [PIP_TYPE], env);
  assert.equal((await type({ DISTRO_NAME: 'debian' })).stdout, 'package\n');
  assert.equal((await type({ DISTRO_NAME: 'debian', [PIP_TYPE]: 'source' })).stdout, 'source\n');
  const centos = await type({ DISTRO_NAME: 'centos', [PIP_TYPE]: 'source' });
  assert.equal(centos.status, 1);
  assert.match(centos.stderr, /^pip-and-virtualenv: 'centos' can have pip from packages only/);
  const unknown = await type({ DISTRO_NAME: 'debian', [PIP_TYPE]: 'wheel' });
  assert.match(unknown.stderr, /is 'wheel'; give package or source/);
});

test('pip-and-virtualenv: hooks are told how to call pip and venv where dib-python is', async () => {
  await using target = await openTarget({ pip: await readElement(PIP) });
  await symlink('/usr/bin/python3.11', path.join(target.dir, 'usr/local/bin/dib-python'));
  const shown = '. /pip; echo "$DIB_PYTHON_PIP, $DIB_PYTHON_VIRTUALENV"';
  const run = async (version: string) => {
    const env = { DISTRO_NAME: 'debian', DIB_PYTHON_VERSION: version };
    return (await target.run(`#!/bin/bash\nset -eu\n${shown}`, [], env)).stdout;
  };
  assert.equal(await run('3'), '/usr/bin/python3.11 -m pip, /usr/bin/python3.11 -m venv\n');
  assert.match(await run('2'), /-m virtualenv\n$/);
});

test('pip-and-virtualenv: the latest go past a Python that says it is managed', async () => {
  const hook = 'pip-and-virtualenv/install.d/pip-and-virtualenv-source-install/04-install-pip';
  const stubs = { python3: 'case $1 in -c) echo /managed ;; esac' };
  for (const [file, option] of [
    ['managed', ' --break-system-packages'],
    ['other', ''],
  ] as const) {
    await using target = await openTarget({ [file]: '' }, stubs);
    await target.hook(hook, { DIB_PYTHON: 'python3' });
    assert.deepEqual((await target.calls()).slice(-2), [
      `python3 /tmp/get-pip.py --upgrade --force-reinstall${option}`,
      `python3 -m pip install --upgrade --force-reinstall${option} virtualenv`,
    ]);
  }
});

test("pip-and-virtualenv: what pip has downloaded goes, unless it's to stay", async () => {
  const hook = 'pip-and-virtualenv/post-install.d/89-clean-up-pip-cache';
  await using target = await openTarget({ 'root/.cache/pip/x': '', 'root/.cache/y': '' });
  await target.hook(hook, { DIB_DISABLE_PIP_CLEANUP: '1' });
  assert.deepEqual(await target.files('root/.cache'), ['pip/x', 'y']);
  await target.hook(hook);
  assert.deepEqual(await target.files('root/.cache'), ['y']);
});

const EPEL = 'epel/pre-install.d/05-rpm-epel-release';
const EPEL_REPO =
  '[epel]\n#baseurl=https://download.example/pub/epel/9/Everything/$basearch/\n' +
  'metalink=https://mirrors.example/metalink?repo=epel-9\nenabled=1\n';

test('epel adds the repository, from a mirror and switched off where that is asked for', async () => {
  const files = {
    'etc/yum.repos.d/epel.repo': EPEL_REPO,
    'etc/yum.repos.d/os.repo': 'enabled=1\n',
  };
  await using plain = await openTarget(files, { dnf: '' });
  await plain.hook(EPEL, { DISTRO_NAME: 'rocky', DIB_RELEASE: '9' });
  assert.deepEqual(await plain.calls(), ['dnf --assumeyes install epel-release']);
  assert.equal(await plain.read('etc/yum.repos.d/epel.repo'), EPEL_REPO);
  await using mirror = await openTarget(files, { yum: '' });
  const env = { DIB_EPEL_MIRROR: 'http://m/epel/', DIB_EPEL_DISABLED: '1', YUM: 'yum' };
  await mirror.hook(EPEL, { DISTRO_NAME: 'centos', ...env });
  assert.equal(
    await mirror.read('etc/yum.repos.d/epel.repo'),
    '[epel]\nbaseurl=http://m/epel/9/Everything/$basearch/\nenabled=0\n',
  );
  assert.equal(await mirror.read('etc/yum.repos.d/os.repo'), 'enabled=1\n');
  await using debian = await openTarget({}, { dnf: '' });
  const { stdout } = await debian.hook(EPEL, { DISTRO_NAME: 'debian' });
  assert.match(stdout, /There is no EPEL for 'debian': nothing to do/);
  assert.deepEqual(await debian.calls(), []);
});

test('fips: the kernel gets its argument, once, beside the ones there are', async () => {
  const file = 'fips/environment.d/15-fips';
  const name = 'DIB_BOOTLOADER_DEFAULT_CMDLINE';
  const given = await environment([file, file], [name], { [name]: 'quiet' });
  assert.equal(given.stdout, 'quiet fips=1\n');
  const bootloader = 'bootloader/environment.d/10-bootloader-default-cmdline';
  const own = await environment([bootloader], [name], {});
  const both = await environment([file], [name], {});
  assert.equal(both.stdout, `${own.stdout.trimEnd()} fips=1\n`);
});

test("fips: the distribution's own tool does it, and what becomes of that is said", async () => {
  const hook = 'fips/pre-install.d/15-setup-fips';
  const env = { DISTRO_NAME: 'rocky', DIB_RELEASE: '9' };
  await using good = await openTarget({}, { 'fips-mode-setup': '' });
  await good.hook(hook, env);
  assert.deepEqual(await good.calls(), ['fips-mode-setup --enable']);
  await using bad = await openTarget({}, { 'fips-mode-setup': 'echo why >&2; exit 7' });
  const failed = await bad.tryHook(hook, env);
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /^why\nfips: 'fips-mode-setup --enable' ended with 7, see above\n$/);
  await using none = await openTarget();
  const missing = await none.tryHook(hook, env);
  assert.match(missing.stderr, /^fips: 'rocky' 9 has no fips-mode-setup[^\n]*\n$/);
});

test('fips is refused at once where it cannot be', async () => {
  await using target = await openTarget();
  const check = 'fips/pre-install.d/01-check-fips';
  for (const [distribution, says] of [
    ['ubuntu', /subscription to Ubuntu Pro/],
    ['opensuse', /in another way/],
    ['gentoo', /Gentoo has no FIPS mode/],
  ] as const) {
    const { status, stderr } = await target.tryHook(check, { DISTRO_NAME: distribution });
    assert.equal(status, 1);
    assert.match(stderr, says);
  }
  await target.hook(check, { DISTRO_NAME: 'openeuler' });
});

test('grub2 removes the block of variables that its packages made', async () => {
  await using target = await openTarget({ 'boot/grub2/grubenv': '', 'boot/grub2/grub.cfg': '' });
  await target.hook('grub2/post-install.d/01-delete-grubenv');
  assert.deepEqual(await target.files('boot'), ['grub2/grub.cfg']);
});
