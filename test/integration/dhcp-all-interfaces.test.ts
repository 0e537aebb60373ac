/** dhcp-all-interfaces: what the script of the booted machine does with an interface, and what the hooks install. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../rig/run-hook.ts';
import { openTarget, type TargetResult, type TargetRoot } from '../rig/target-root.ts';

const PROGRAM = 'elements/dhcp-all-interfaces/dhcp-all-interfaces/dhcp-all-interfaces.sh';
const INSTALL = 'dhcp-all-interfaces/install.d/50-dhcp-all-interfaces';
const script = await readFile(path.join(ROOT, PROGRAM), 'utf8');

/** An interface as the kernel shows it: an Ethernet card with a link. */
function card(name: string, facts: Readonly<Record<string, string>> = {}): Record<string, string> {
  const all = { carrier: '1', addr_assign_type: '0', type: '1', ...facts };
  return Object.fromEntries(
    Object.entries(all).map(([fact, value]) => [`net/${name}/${fact}`, `${value}\n`]),
  );
}

const answer = (managed: string, other: string): string =>
  `printf '%s\\n' 'Stateful address conf. : ${managed}' 'Stateful other conf. : ${other}'`;
const NO_ROUTER = 'exit 2';
const STUBS = {
  ip: '',
  sleep: '',
  ifup: '',
  ifquery: 'exit 1',
  nmcli: '',
  networkctl: '',
  rdisc6: NO_ROUTER,
};

function configure(
  target: TargetRoot,
  args: readonly string[] = ['--up', 'eth0'],
  env: Readonly<Record<string, string>> = {},
): Promise<TargetResult> {
  return target.run(script, args, { SYS_CLASS_NET: '/net', ...env });
}

const ENI = { 'etc/network/interfaces': 'auto lo\n' };
const IFCFG = { 'etc/sysconfig/network-scripts/ifup-eth': '' };
const ETHERNET = 'DEVICE="eth0"\nBOOTPROTO="dhcp"\nONBOOT="yes"\nTYPE="Ethernet"\n';
const ETH0_DHCP = 'auto eth0\niface eth0 inet dhcp\n\n';
const INFINIBAND =
  'TYPE="InfiniBand"\nCONNECTED_MODE="no"\nDEFROUTE="yes"\nPEERDNS="yes"\nPEERROUTES="yes"\n' +
  'IPV4_FAILURE_FATAL="yes"\nIPV6INIT="no"\n';

const CONFIGURED: readonly {
  readonly claim: string;
  /** What the image has; it decides who manages the network. */
  readonly files: Readonly<Record<string, string>>;
  readonly router?: string;
  readonly name?: string;
  readonly written: readonly [file: string, text: string];
  readonly mode?: string;
  readonly up: readonly string[];
}[] = [
  {
    claim: 'ifupdown, and no router: IPv4',
    files: { ...ENI, ...card('eth0') },
    written: ['etc/network/interfaces', `auto lo\n${ETH0_DHCP}`],
    up: ['ifup eth0'],
  },
  {
    claim: 'ifupdown, and a router that wants DHCPv6',
    files: { ...ENI, ...card('eth0') },
    router: answer('Yes', 'Yes'),
    written: ['etc/network/interfaces', `auto lo\n${ETH0_DHCP}iface eth0 inet6 dhcp\n\n`],
    up: ['ifup eth0'],
  },
  {
    claim: 'ifupdown, and a router that wants the rest by DHCPv6',
    files: { ...ENI, ...card('eth0') },
    router: answer('No', 'Yes'),
    written: ['etc/network/interfaces', `auto lo\n${ETH0_DHCP}iface eth0 inet6 auto\n\tdhcp 1\n\n`],
    up: ['ifup eth0'],
  },
  {
    claim: 'ifupdown, and a router that wants no DHCPv6',
    files: { ...ENI, ...card('eth0') },
    router: answer('No', 'No'),
    written: ['etc/network/interfaces', `auto lo\n${ETH0_DHCP}iface eth0 inet6 auto\n\tdhcp 0\n\n`],
    up: ['ifup eth0'],
  },
  {
    claim: 'network-scripts of Red Hat',
    files: { ...IFCFG, ...card('eth0') },
    written: ['etc/sysconfig/network-scripts/ifcfg-eth0', ETHERNET],
    up: ['ifup eth0'],
  },
  {
    claim: 'network-scripts, and a router that wants DHCPv6',
    files: { ...IFCFG, ...card('eth0') },
    router: answer('Yes', 'No'),
    written: [
      'etc/sysconfig/network-scripts/ifcfg-eth0',
      `${ETHERNET}IPV6INIT="yes"\nIPV6_FORCE_ACCEPT_RA="yes"\nDHCPV6C="yes"\n`,
    ],
    up: ['ifup eth0'],
  },
  {
    claim: 'network-scripts and InfiniBand, without IPv6',
    files: { ...IFCFG, ...card('ib0', { type: '32' }) },
    router: answer('Yes', 'No'),
    name: 'ib0',
    written: [
      'etc/sysconfig/network-scripts/ifcfg-ib0',
      `DEVICE="ib0"\nBOOTPROTO="dhcp"\nONBOOT="yes"\n${INFINIBAND}`,
    ],
    up: ['ifup ib0'],
  },
  {
    claim: 'a VLAN, whose address is that of the card below it',
    files: { ...IFCFG, ...card('eth0'), ...card('eth0.7', { addr_assign_type: '2' }) },
    name: 'eth0.7',
    written: [
      'etc/sysconfig/network-scripts/ifcfg-eth0.7',
      'DEVICE="eth0.7"\nBOOTPROTO="dhcp"\nONBOOT="yes"\nVLAN="yes"\n',
    ],
    up: ['ifup eth0.7'],
  },
  {
    claim: 'wicked of SUSE',
    files: { 'etc/sysconfig/network/config': '', ...card('eth0') },
    written: ['etc/sysconfig/network/ifcfg-eth0', 'BOOTPROTO="dhcp"\nSTARTMODE="auto"\n'],
    up: ['ifup eth0'],
  },
  {
    claim: 'NetworkManager, which reads ifcfg files no more',
    files: { 'etc/sysconfig/network-scripts/readme-ifcfg-rh.txt': '', ...card('eth0') },
    written: [
      'etc/NetworkManager/system-connections/dib-dhcp-eth0.nmconnection',
      '[connection]\nid=dib-dhcp-eth0\ntype=802-3-ethernet\ninterface-name=eth0\n\n' +
        '[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n',
    ],
    mode: '600',
    up: ['nmcli connection reload', 'nmcli device connect eth0'],
  },
];

for (const { claim, files, router, name = 'eth0', written, mode, up } of CONFIGURED) {
  test(`an interface is configured by ${claim}`, async () => {
    const stubs = { ...STUBS, rdisc6: router ?? NO_ROUTER };
    await using target = await openTarget({ 'etc/machine-id': '0a1b\n', ...files }, stubs);
    const { status, stdout, stderr } = await configure(target, ['--up', name]);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^${name}: configured for DHCP by`));
    const [file, text] = written;
    assert.equal(await target.read(file), text);
    if (mode !== undefined) assert.equal(await target.mode(file), mode);
    const calls = await target.calls();
    assert.deepEqual(calls.slice(-up.length), up);
    const duid = await target.read(`var/lib/dhcp/dhclient6--${name}.lease`);
    const asked = calls.some((call) => call.startsWith('rdisc6'));
    const wanted = asked && router !== undefined && !text.includes('InfiniBand');
    assert.equal(duid, wanted ? 'default-duid "\\x00\\x04\\x0a\\x1b";\n' : undefined);
  });
}

test('systemd-networkd configures it where nothing else does', async () => {
  const { nmcli: _, ...stubs } = STUBS;
  await using target = await openTarget(card('eth0'), stubs);
  // No nmcli of this machine either: only what is in sbin, and these.
  const run = 'for tool in bash sh cat mkdir grep sed; do ln -s /usr/bin/$tool /stubs/; done';
  await target.run(`#!/bin/sh\n${run}`);
  const { status, stderr } = await configure(target, ['--up', 'eth0'], { PATH: '/stubs' });
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    await target.read('etc/systemd/network/70-dib-dhcp-eth0.network'),
    '[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n',
  );
  assert.deepEqual((await target.calls()).slice(-2), ['networkctl reload', 'networkctl up eth0']);
});

const LEFT: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['no link', card('eth0', { carrier: '0' }), /has no link/],
  ['a made-up address', card('eth0', { addr_assign_type: '1' }), /address is not its own/],
  ['an address taken from others', card('eth0', { addr_assign_type: '2' }), /is not its own/],
];
for (const [claim, files, says] of LEFT) {
  test(`an interface with ${claim} is left alone`, async () => {
    await using target = await openTarget({ ...ENI, ...files }, STUBS);
    const { status, stdout, stderr } = await configure(target);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, says);
    assert.equal(await target.read('etc/network/interfaces'), 'auto lo\n');
    assert.deepEqual(
      (await target.calls()).filter((call) => call.startsWith('ifup')),
      [],
    );
  });
}

test('it waits for the link as long as it was told to, and then leaves the interface', async () => {
  const files = { ...ENI, ...card('eth0', { carrier: '0' }) };
  const settings = { 'etc/default/dhcp-all-interfaces': 'DIB_DHCP_TIMEOUT=3\n' };
  await using target = await openTarget({ ...files, ...settings }, STUBS);
  assert.equal((await configure(target)).status, 0);
  const sleeps = (await target.calls()).filter((call) => call === 'sleep 1');
  assert.equal(sleeps.length, 3);
});

test('what is configured already stays; ifupdown is asked to bring it up, others do so', async () => {
  const stubs = { ...STUBS, ifquery: 'echo address 10.0.0.1' };
  await using eni = await openTarget({ ...ENI, ...card('eth0') }, stubs);
  assert.match((await configure(eni)).stdout, /configured already/);
  assert.equal(await eni.read('etc/network/interfaces'), 'auto lo\n');
  assert.deepEqual(await eni.calls(), ['ifquery eth0', 'ifup eth0']);

  const file = 'etc/sysconfig/network-scripts/ifcfg-eth0';
  await using ifcfg = await openTarget({ ...IFCFG, ...card('eth0'), [file]: 'mine\n' }, STUBS);
  assert.match((await configure(ifcfg)).stdout, /configured already/);
  assert.deepEqual([await ifcfg.read(file), await ifcfg.calls()], ['mine\n', []]);
});

test('without a name all interfaces but lo are configured, and none is brought up', async () => {
  const cards = { ...card('lo'), ...card('eth0'), ...card('eth1') };
  await using target = await openTarget({ ...ENI, ...cards }, STUBS);
  assert.equal((await configure(target, [])).status, 0);
  assert.equal(
    await target.read('etc/network/interfaces'),
    `auto lo\n${ETH0_DHCP}${ETH0_DHCP.replaceAll('eth0', 'eth1')}`,
  );
  assert.ok(!(await target.calls()).includes('ifup eth0'));
});

test('it says what is wrong in one sentence', async () => {
  await using target = await openTarget(card('eth0'), STUBS);
  const none = await configure(target, ['eth9']);
  assert.deepEqual(
    [none.status, none.stderr],
    [1, "dhcp-all-interfaces: there is no interface 'eth9'\n"],
  );
  assert.match((await configure(target, ['--down'])).stderr, /^usage: /);
  const bare = await configure(target, ['eth0'], { PATH: '/nowhere' });
  assert.equal(bare.status, 1);
  assert.match(bare.stderr, /^dhcp-all-interfaces: nothing here configures networks: no ifupdown/);
});

async function installed(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  stubs: Readonly<Record<string, string>> = {},
) {
  const own: Record<string, string> = { 'usr/lib/systemd/system/x': '' };
  for (const name of [
    'dhcp-all-interfaces.sh',
    'sysv.init',
    'upstart.conf',
    'networkmanager.conf',
  ]) {
    own[`dhcp-all-interfaces/${name}`] = await readElement(name);
  }
  for (const name of ['dhcp-interface@.service', '99-dhcp-all-interfaces.rules']) {
    own[`dhcp-all-interfaces/${name}`] = await readElement(name);
  }
  const target = await openTarget({ ...own, ...files }, stubs);
  const text = await readFile(path.join(ROOT, 'elements', INSTALL), 'utf8');
  // The hook finds its files beside the directory that it is in; the rig runs it as /hook.
  const result = await target.run(text.replace('$(dirname "$0")/..', ''), [], {
    DIB_INIT_SYSTEM: 'systemd',
    DISTRO_NAME: 'debian',
    ...env,
  });
  return { target, result };
}

function readElement(name: string): Promise<string> {
  return readFile(
    path.join(ROOT, 'elements/dhcp-all-interfaces/dhcp-all-interfaces', name),
    'utf8',
  );
}

test('with systemd, udev starts a service for each interface', async () => {
  const conf = { 'etc/dhcp/dhclient.conf': 'timeout 300;\nretry 60;\nrequest routers;\n' };
  const { target, result } = await installed(conf, { DIB_DHCP_TIMEOUT: '20' });
  await using _ = target;
  assert.deepEqual([result.status, result.stderr], [0, '']);
  assert.match(
    (await target.read('etc/udev/rules.d/99-dhcp-all-interfaces.rules')) ?? '',
    /SYSTEMD_WANTS}\+="dhcp-interface@\$name\.service"/,
  );
  const unit = (await target.read('usr/lib/systemd/system/dhcp-interface@.service')) ?? '';
  assert.match(unit, /^ExecStart=\/usr\/local\/sbin\/dhcp-all-interfaces\.sh --up %i$/m);
  assert.match(unit, /^TimeoutStartSec=60s$/m);
  assert.equal(await target.read('usr/local/sbin/dhcp-all-interfaces.sh'), script);
  assert.equal(await target.read('etc/default/dhcp-all-interfaces'), 'DIB_DHCP_TIMEOUT=20\n');
  assert.equal(
    await target.read('etc/dhcp/dhclient.conf'),
    '# retry 60;\nrequest routers;\n# By dhcp-all-interfaces:\ntimeout 20;\n',
  );
});

const CLIENTS: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['Debian', {}, 'internal'],
  ['Enterprise Linux 8', { DIB_RELEASE: '8-stream', REDHAT: '1' }, 'dhclient'],
  ['Enterprise Linux 9', { DIB_RELEASE: '9-stream', REDHAT: '1' }, 'internal'],
  ['Enterprise Linux 10', { DIB_RELEASE: '10-stream', REDHAT: '1' }, 'dhcpcd'],
  ['whoever asks for it', { DIB_DHCP_CLIENT: 'dhclient' }, 'dhclient'],
];
for (const [claim, env, client] of CLIENTS) {
  test(`NetworkManager's DHCP client is ${client} for ${claim}`, async () => {
    const release: Record<string, string> =
      env.REDHAT === undefined ? {} : { 'etc/redhat-release': '' };
    const files = { 'etc/NetworkManager/NetworkManager.conf': '', ...release };
    const auto = { DIB_DHCP_NETWORK_MANAGER_AUTO: 'true', ...env };
    const { target, result } = await installed(files, auto);
    await using _ = target;
    assert.deepEqual([result.status, result.stderr], [0, '']);
    const conf = (await target.read('etc/NetworkManager/conf.d/00-main.conf')) ?? '';
    assert.match(conf, new RegExp(`^dhcp=${client}$`, 'm'));
    assert.match(conf, /^ipv4\.dhcp-timeout=30$/m);
    // It is all left to NetworkManager.
    assert.equal(await target.read('usr/local/sbin/dhcp-all-interfaces.sh'), undefined);
  });
}

test('a Red Hat without ndisc6 gets the service all the same', async () => {
  const stubs = { 'install-packages': 'exit 1' };
  const { target, result } = await installed({ 'etc/redhat-release': '' }, {}, stubs);
  await using _ = target;
  assert.equal(result.status, 0, result.stderr);
  assert.deepEqual(await target.calls(), ['install-packages ndisc6']);
  assert.equal(await target.read('usr/local/sbin/dhcp-all-interfaces.sh'), script);
});

test('other init systems have a script of their own, and the rest is refused', async () => {
  const sysv = await installed({}, { DIB_INIT_SYSTEM: 'sysv' }, { 'update-rc.d': '' });
  await using a = sysv.target;
  assert.deepEqual(await a.calls(), ['update-rc.d dhcp-all-interfaces defaults']);
  assert.equal(await a.mode('etc/init.d/dhcp-all-interfaces'), '755');
  const upstart = await installed({}, { DIB_INIT_SYSTEM: 'upstart' });
  await using b = upstart.target;
  assert.match((await b.read('etc/init/dhcp-all-interfaces.conf')) ?? '', /^exec .* \$INTERFACE$/m);
  const openrc = await installed({}, { DIB_INIT_SYSTEM: 'openrc' });
  await using c = openrc.target;
  assert.match(openrc.result.stderr, /nothing starts it with 'openrc'/);
  assert.equal(openrc.result.status, 1);
  assert.equal(await c.read('etc/udev/rules.d/99-dhcp-all-interfaces.rules'), undefined);
});

test('Gentoo leaves it to dhcpcd', async () => {
  const conf = {
    'etc/dhcpcd.conf': 'option domain_name, domain_search, host_name\nslaac private\n',
  };
  const env = { DISTRO_NAME: 'gentoo', DIB_INIT_SYSTEM: 'openrc' };
  const { target, result } = await installed(conf, env, { 'rc-update': '' });
  await using _ = target;
  assert.deepEqual([result.status, result.stderr], [0, '']);
  assert.equal(await target.read('etc/dhcpcd.conf'), 'option domain_search\n#slaac private\n');
  assert.deepEqual(await target.calls(), ['rc-update add dhcpcd default']);
});

const BAD: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ DIB_DHCP_TIMEOUT: 'long' }, /DIB_DHCP_TIMEOUT is 'long'; give a number of seconds/],
  [{ DIB_DHCP_TIMEOUT: '0' }, /DIB_DHCP_TIMEOUT is '0'/],
  [{ DIB_DHCP_CLIENT: 'pump' }, /DIB_DHCP_CLIENT is 'pump'; give internal, dhclient or dhcpcd/],
];
for (const [env, says] of BAD) {
  test(`dhcp-all-interfaces refuses ${JSON.stringify(env)}`, async () => {
    const { target, result } = await installed({ 'etc/NetworkManager/x': '' }, env);
    await using _ = target;
    assert.equal(result.status, 1);
    assert.match(result.stderr, says);
    assert.equal(result.stderr.trim().split('\n').length, 1);
  });
}

test('the interfaces of a cloud image are removed', async () => {
  await using target = await openTarget({
    'etc/network/interfaces': 'auto eth0\n',
    'etc/network/interfaces.d/50-cloud-init': 'auto eth0\n',
    'etc/sysconfig/network-scripts/ifcfg-lo': '',
    'etc/sysconfig/network-scripts/ifcfg-ens3': '',
    'etc/conf.d/net.eth0': '',
    'etc/conf.d/hostname': '',
  });
  await target.hook('dhcp-all-interfaces/install.d/60-remove-cloud-image-interfaces');
  assert.deepEqual(await target.files('etc/sysconfig/network-scripts'), ['ifcfg-lo']);
  assert.deepEqual(await target.files('etc/network'), ['interfaces']);
  assert.deepEqual(await target.files('etc/conf.d'), ['hostname']);
  assert.equal(
    await target.read('etc/network/interfaces'),
    'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n\n',
  );
});
