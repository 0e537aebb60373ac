/** Elements about the upkeep of a running system: autoupdates, fail2ban, dkms. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, withFiles } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

type Variables = Readonly<Record<string, string>>;

/** What a hook on the host takes along, or why it does not. */
async function taken(hook: string, file: string, env: Variables) {
  await using dir = await withFiles({ 'hooks/x': '', 'mine.conf': 'mine\n' });
  const values = Object.entries(env).map(([name, value]) => [name, `${dir.root}/${value}`]);
  const result = await runHook([path.join(ROOT, 'elements', hook)], {
    TMP_HOOKS_PATH: `${dir.root}/hooks`,
    ...Object.fromEntries(values),
  });
  const content = await readFile(`${dir.root}/hooks/${file}`, 'utf8').catch(() => undefined);
  return { ...result, content };
}

const UPDATES = 'autoupdates/extra-data.d/61-create-update-config';
const JAIL = 'fail2ban/extra-data.d/60-copy-fail2ban-config';
for (const [hook, file, variable] of [
  [UPDATES, 'autoupdates.conf', 'DIB_DEB_UPDATES_CONF'],
  [UPDATES, 'autoupdates.conf', 'DIB_YUM_UPDATES_CONF'],
  [JAIL, 'fail2ban-jail.local', 'DIB_FAIL2BAN_CONF'],
] as const) {
  test(`${variable} names a file to take along, or nothing`, async () => {
    const given = await taken(hook, file, { [variable]: 'mine.conf' });
    assert.deepEqual([given.status, given.content], [0, 'mine\n']);
    const unset = await taken(hook, file, {});
    assert.deepEqual([unset.status, unset.content], [0, undefined]);
    const missing = await taken(hook, file, { [variable]: 'none' });
    assert.equal(missing.status, 1);
    assert.match(
      missing.stderr,
      new RegExp(`^Cannot use '.*none' \\(${variable}\\): no such file`),
    );
  });
}

test('autoupdates cannot be for two distributions', async () => {
  const both = { DIB_DEB_UPDATES_CONF: 'mine.conf', DIB_YUM_UPDATES_CONF: 'mine.conf' };
  const { status, stderr } = await taken(UPDATES, 'autoupdates.conf', both);
  assert.equal(status, 1);
  assert.match(stderr, /^autoupdates: both [^\n]+ are set; keep the one for this distribution\n$/);
});

const ENABLE = 'autoupdates/post-install.d/82-enable-autoupdate';
for (const [distribution, place, unit] of [
  ['debian', 'etc/apt/apt.conf.d/50unattended-upgrades', 'unattended-upgrades.service'],
  ['openeuler', 'etc/dnf/automatic.conf', 'dnf-automatic.timer'],
] as const) {
  test(`autoupdates on ${distribution}: ${unit}`, async () => {
    const settings = { 'tmp/in_target.d/autoupdates.conf': 'mine\n' };
    await using target = await openTarget({ ...settings, [place]: 'own\n' }, { systemctl: '' });
    await target.hook(ENABLE, { DISTRO_NAME: distribution, DIB_INIT_SYSTEM: 'systemd' });
    assert.equal(await target.read(place), 'mine\n');
    assert.deepEqual(await target.calls(), [`systemctl enable ${unit}`]);
  });
}

test('autoupdates refuses what it does not know', async () => {
  await using target = await openTarget();
  const { status, stderr } = await target.tryHook(ENABLE, { DISTRO_NAME: 'gentoo' });
  assert.equal(status, 1);
  assert.match(stderr, /^autoupdates: 'gentoo' has nothing that this element knows[^\n]*\n$/);
});

test('fail2ban is started at boot, with the settings of the builder', async () => {
  const hook = 'fail2ban/post-install.d/80-enable-fail2ban-service';
  const stubs = { systemctl: '', 'rc-update': '' };
  await using target = await openTarget({ 'tmp/in_target.d/fail2ban-jail.local': 'mine\n' }, stubs);
  await target.hook(hook, { DIB_INIT_SYSTEM: 'systemd' });
  assert.equal(await target.read('etc/fail2ban/jail.local'), 'mine\n');
  await target.hook(hook, { DIB_INIT_SYSTEM: 'openrc' });
  assert.deepEqual(await target.calls(), [
    'systemctl enable fail2ban.service',
    'rc-update add fail2ban default',
  ]);
  const { status, stderr } = await target.tryHook(hook, { DIB_INIT_SYSTEM: 'sysv' });
  assert.equal(status, 1);
  assert.match(stderr, /only systemd and openrc can start it, and this image has 'sysv'/);
});

const DKMS = 'dkms/post-install.d/97-dkms';
/** What DKMS says, as version 3 and as version 2 print it. */
const STATUS =
  "printf '%s\\n' 'nvidia/525.60, 6.1.0-1, x86_64: installed' 'nvidia/525.60, 6.1.0-2: added' 'zfs, 2.1.11, 6.1: added'";

/** The target's /lib is this machine's, so its kernels are in a directory of their own. */
async function dkms(files: Variables, stub: string) {
  const target = await openTarget(files, { dkms: stub });
  const hook = await readFile(path.join(ROOT, 'elements', DKMS), 'utf8');
  const result = await target.run(hook.replace('/lib/modules/', '/modules/'), [], {
    ARCH: 'amd64',
  });
  return { target, result };
}

test('dkms builds each module once for each kernel that has its headers, without ARCH', async () => {
  const kernels = {
    'modules/6.1.0-1/build/Makefile': '',
    'modules/6.1.0-2/build/Makefile': '',
    'modules/6.1.0-3/kernel/x': '',
  };
  const stub = `case "$1" in status) ${STATUS} ;; esac; [ "$1" = status ] || echo "\${ARCH-unset}" >>/arch`;
  const { target, result } = await dkms(kernels, stub);
  await using _ = target;
  assert.deepEqual([result.status, result.stderr], [0, '']);
  const installs = ['nvidia/525.60', 'zfs/2.1.11'].flatMap((module) =>
    ['6.1.0-1', '6.1.0-2'].map((kernel) => `dkms install ${module} -k ${kernel}`),
  );
  assert.deepEqual(await target.calls(), ['dkms status', ...installs]);
  assert.equal(await target.read('arch'), 'unset\n'.repeat(4));
});

test('dkms says what it could not build, and for what there are no headers', async () => {
  const kernel = { 'modules/6.1.0-1/build/Makefile': '' };
  const failing = await dkms(kernel, `case "$1" in status) ${STATUS} ;; *) exit 9 ;; esac`);
  await using a = failing.target;
  assert.equal(failing.result.status, 1);
  assert.match(failing.result.stderr, /^dkms: cannot build 'nvidia\/525\.60' for the kernel '6\.1/);
  assert.equal((await a.calls()).length, 2);
  const bare = await dkms({}, `case "$1" in status) ${STATUS} ;; esac`);
  await using _ = bare.target;
  assert.equal(bare.result.status, 0);
  assert.match(bare.result.stderr, /^dkms: warning: no kernel of the image has its headers/);
  const nothing = await dkms({}, '');
  await using __ = nothing.target;
  assert.deepEqual([nothing.result.status, nothing.result.stderr], [0, '']);
});
