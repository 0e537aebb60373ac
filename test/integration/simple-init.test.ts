/** simple-init: where glean comes from, how it is started, and what it finds when it is. */
import assert from 'node:assert/strict';
import { readlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

type Variables = Readonly<Record<string, string>>;

const NETWORKMANAGER = 'DIB_SIMPLE_INIT_NETWORKMANAGER';
const FILE = path.join(ROOT, 'elements/simple-init/environment.d/15-simple-init-networkmanager');

/** What the element settles: whether NetworkManager is used, and whether the repository is fetched. */
function settle(env: Variables) {
  const shown = `echo "$${NETWORKMANAGER} $DIB_INSTALLTYPE_glean"`;
  return runHook(['bash', '-euc', `. ${FILE}; ${shown}`], env);
}

const SETTLED: readonly (readonly [env: Variables, settled: string])[] = [
  [{ DISTRO_NAME: 'debian' }, '0 none'],
  [{ DISTRO_NAME: 'centos' }, '1 none'],
  [{ DISTRO_NAME: 'openeuler' }, '1 none'],
  [{ DISTRO_NAME: 'openeuler', [NETWORKMANAGER]: '0' }, '0 none'],
  [{ DISTRO_NAME: 'debian', [NETWORKMANAGER]: '1' }, '1 none'],
  [{ DISTRO_NAME: 'debian', DIB_INSTALLTYPE_simple_init: 'repo' }, '0 source'],
  [{ DISTRO_NAME: 'debian', DIB_DEFAULT_INSTALLTYPE: 'package' }, '0 none'],
];
for (const [env, settled] of SETTLED) {
  test(`${JSON.stringify(env)} settles: ${settled}`, async () => {
    const { status, stdout, stderr } = await settle(env);
    assert.deepEqual([status, stdout, stderr], [0, `${settled}\n`, '']);
  });
}

test('what cannot be is refused in one sentence', async () => {
  const fedora = await settle({ DISTRO_NAME: 'fedora', [NETWORKMANAGER]: '0' });
  assert.equal(fedora.status, 1);
  assert.equal(
    fedora.stderr,
    "simple-init: 'fedora' has nothing but NetworkManager; unset DIB_SIMPLE_INIT_NETWORKMANAGER\n",
  );
  const type = await settle({ DISTRO_NAME: 'debian', DIB_INSTALLTYPE_simple_init: 'snap' });
  assert.equal(type.status, 1);
  assert.match(type.stderr, /is 'snap'; give source, repo or package\n$/);
});

/** A venv with a pip that says what it was asked for. */
const VENV = `case "$2" in venv)
  mkdir -p "$3/bin"
  printf '#!/bin/sh\\necho "pip $*" >>/calls\\n' >"$3/bin/pip"
  chmod +x "$3/bin/pip" ;;
esac`;

for (const [type, source] of [
  ['source', 'glean'],
  ['repo', '/tmp/glean.git'],
] as const) {
  test(`with ${type}, ${source} is installed into a place of its own`, async () => {
    await using target = await openTarget({}, { python3: VENV });
    await target.hook(`simple-init/install.d/simple-init-${type}-install/40-glean`);
    assert.deepEqual(await target.calls(), [
      'python3 -m venv /usr/glean',
      'pip install pbr',
      `pip install ${source}`,
    ]);
    for (const command of ['glean', 'glean.sh', 'glean-install']) {
      const link = path.join(target.dir, 'usr/local/bin', command);
      assert.equal(await readlink(link), `/usr/glean/bin/${command}`);
    }
  });
}

const INSTALL = 'simple-init/install.d/50-simple-init';
const STARTED: readonly (readonly [env: Variables, call: string])[] = [
  [{ [NETWORKMANAGER]: '0' }, 'glean-install'],
  [{ [NETWORKMANAGER]: '1' }, 'glean-install --use-nm'],
  [
    { [NETWORKMANAGER]: '1', DIB_SIMPLE_INIT_NO_DHCP_FALLBACK: '1' },
    'glean-install --use-nm --no-dhcp-fallback',
  ],
];
for (const [env, call] of STARTED) {
  test(`${JSON.stringify(env)}: ${call}`, async () => {
    await using target = await openTarget({}, { 'glean-install': '' });
    await target.hook(INSTALL, env);
    assert.deepEqual(await target.calls(), [call]);
    assert.equal(await target.read('etc/modules'), '8021q\n');
  });
}

test('a distribution without a package of glean is told so', async () => {
  await using target = await openTarget();
  const env = { [NETWORKMANAGER]: '0', DISTRO_NAME: 'debian' };
  const { status, stderr } = await target.tryHook(INSTALL, env);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^simple-init: there is no glean-install; does 'debian' have a package[^\n]*\n$/,
  );
});

test('interfaces that a cloud image has are removed, others stay', async () => {
  await using target = await openTarget({
    'etc/network/interfaces': 'auto eth0\n',
    'etc/network/interfaces.d/eth0.cfg': '',
    'etc/network/interfaces.d/br0': '',
    'etc/sysconfig/network/ifcfg-eth0': '',
    'etc/sysconfig/network-scripts/ifcfg-ens3': '',
    'etc/sysconfig/network-scripts/ifcfg-bond0': '',
  });
  await target.hook('simple-init/install.d/60-simple-init-remove-interfaces');
  assert.deepEqual(await target.files('etc/network'), ['interfaces', 'interfaces.d/br0']);
  assert.deepEqual(await target.files('etc/sysconfig'), ['network-scripts/ifcfg-bond0']);
  assert.equal(
    await target.read('etc/network/interfaces'),
    'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n\n',
  );
});

test("openSUSE's wicked is started, nobody else's", async () => {
  const hook = 'simple-init/post-install.d/80-simple-init';
  await using target = await openTarget({}, { systemctl: '' });
  await target.hook(hook, { DIB_INIT_SYSTEM: 'systemd', DISTRO_NAME: 'debian' });
  await target.hook(hook, { DIB_INIT_SYSTEM: 'sysv', DISTRO_NAME: 'opensuse' });
  await target.hook(hook, { DIB_INIT_SYSTEM: 'systemd', DISTRO_NAME: 'opensuse' });
  assert.deepEqual(await target.calls(), ['systemctl enable wicked.service']);
});
