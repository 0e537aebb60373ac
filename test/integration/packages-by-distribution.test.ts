/** Which packages elements ask for, by the names that distributions have for them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT, runHook, withFiles } from '../rig/run-hook.ts';

type Variables = Readonly<Record<string, string>>;

const script = (name: string): string => path.join(ROOT, 'elements', name);

const ELEMENTS = [
  ...[
    'autoupdates',
    'debian-systemd',
    'dhcp-all-interfaces',
    'ensure-venv',
    'fips',
    'growvols',
    'grub2',
  ],
  ...['pip-and-virtualenv', 'simple-init'],
];

async function hook(name: string, env: Variables): Promise<void> {
  const { status, stderr } = await runHook([script(name)], env);
  assert.deepEqual([status, stderr], [0, '']);
}

/** The maps of all of them, as a build has them in its target. */
const maps = await withFiles({ x: '' });
await hook('pkg-map/extra-data.d/10-create-pkg-map-dir', {
  IMAGE_ELEMENT_YAML: `{${ELEMENTS.map((name) => `${name}: ${script(name)}`).join(', ')}}`,
  TMP_MOUNT_PATH: maps.root,
  TMP_HOOKS_PATH: `${maps.root}/hooks`,
});
after(() => maps[Symbol.asyncDispose]());

/** What the hooks of a build make of an element's lists: with the phase, and a dash for what is removed. */
async function packages(element: string, env: Variables): Promise<readonly string[]> {
  await using dir = await withFiles({ 'target/tmp/x': '' });
  await hook('package-installs/extra-data.d/99-squash-package-install', {
    ARCH: 'amd64',
    DIB_DEFAULT_INSTALLTYPE: 'source',
    IMAGE_ELEMENT: element,
    IMAGE_ELEMENT_YAML: `{${element}: ${script(element)}}`,
    TMP_MOUNT_PATH: `${dir.root}/target`,
    ...env,
  });
  const table = await readFile(`${dir.root}/target/tmp/package-installs.tsv`, 'utf8');
  const groups = new Map<string, string[]>();
  for (const row of table.trimEnd().split('\n')) {
    const [phase = '', action, name = ''] = row.split('\t');
    const place = phase === 'install.d' ? '' : `${phase.slice(0, -2)}:`;
    const prefix = `${place}${action === 'uninstall' ? '-' : ''}`;
    groups.set(prefix, [...(groups.get(prefix) ?? []), name]);
  }
  const mapped = [...groups].map(async ([prefix, names]) => {
    const argv = [script('pkg-map/bin/pkg-map'), '--missing-ok', '--element', element, ...names];
    const where = { ...env, PKG_MAP_DIR: `${maps.root}/usr/share/pkg-map` };
    const { stdout, stderr } = await runHook(argv, where);
    assert.equal(stderr, '');
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [prefix + line]));
  });
  return (await Promise.all(mapped)).flat().sort();
}

const on = (DISTRO_NAME: string, DIB_RELEASE: string, more: Variables = {}): Variables => ({
  DISTRO_NAME,
  DIB_RELEASE,
  ...more,
});
const BOOKWORM = on('debian', 'bookworm');
const OPENEULER = on('openeuler', '24.03-LTS');
const P3 = { DIB_PYTHON_VERSION: '3', DIB_INSTALLTYPE_pip_and_virtualenv: 'package' };
const NM = { DIB_SIMPLE_INIT_NETWORKMANAGER: '1' };
const SCRIPTS = { DIB_SIMPLE_INIT_NETWORKMANAGER: '0' };

const CASES: readonly (readonly [element: string, env: Variables, packages: string])[] = [
  ['autoupdates', BOOKWORM, 'unattended-upgrades'],
  ['autoupdates', OPENEULER, 'dnf-automatic'],
  ['debian-systemd', BOOKWORM, 'systemd-sysv'],
  ['ensure-venv', BOOKWORM, 'python3-venv'],
  ['ensure-venv', on('rocky', '9'), 'python3'],
  ['fips', on('debian', 'trixie'), 'pre-install:crypto-policies'],
  ['fips', on('rocky', '9'), 'pre-install:crypto-policies pre-install:crypto-policies-scripts'],
  ['growvols', BOOKWORM, 'gdisk lvm2 parted util-linux xfsprogs'],
  ['grub2', BOOKWORM, 'grub-efi-amd64-signed grub-pc-bin grub2-common shim-signed'],
  [
    'grub2',
    on('debian', 'bookworm', { ARCH: 'arm64' }),
    'grub-efi-arm64-bin grub-efi-arm64-signed grub2-common shim-signed',
  ],
  ['grub2', OPENEULER, 'efibootmgr grub2-efi-x64 grub2-efi-x64-modules grub2-pc grub2-tools shim'],
  ['dhcp-all-interfaces', BOOKWORM, 'ifupdown isc-dhcp-client ndisc6'],
  ['dhcp-all-interfaces', on('rocky', '9'), 'NetworkManager-initscripts-updown dhclient'],
  ['dhcp-all-interfaces', on('centos', '10-stream'), 'dhcpcd'],
  ['dhcp-all-interfaces', OPENEULER, 'dhcp'],
  ['simple-init', { ...BOOKWORM, ...SCRIPTS }, '-cloud-init ifupdown isc-dhcp-client net-tools'],
  [
    'simple-init',
    { ...BOOKWORM, ...NM },
    '-cloud-init ifupdown isc-dhcp-client net-tools network-manager',
  ],
  [
    'simple-init',
    { ...on('rocky', '9'), ...NM, DIB_INSTALLTYPE_simple_init: 'package' },
    '-cloud-init NetworkManager dhclient net-tools python3-glean',
  ],
  ['simple-init', { ...OPENEULER, ...SCRIPTS }, '-cloud-init dhcp net-tools network-scripts'],
  ['pip-and-virtualenv', { ...BOOKWORM, ...P3 }, 'python3-pip python3-venv python3-virtualenv'],
  [
    'pip-and-virtualenv',
    { ...BOOKWORM, ...P3, DIB_INSTALLTYPE_pip_and_virtualenv: 'source' },
    'python3-dev python3-venv',
  ],
  [
    'pip-and-virtualenv',
    { ...OPENEULER, ...P3 },
    'pre-install:python3 python3-pip python3-virtualenv',
  ],
];

for (const [element, env, expected] of CASES) {
  const { DISTRO_NAME, DIB_RELEASE, ...more } = env;
  const settings = Object.entries(more).map(([name, value]) => ` ${name}=${value}`);
  test(`${element} on ${DISTRO_NAME} ${DIB_RELEASE}${settings.join('')}: ${expected}`, async () => {
    assert.deepEqual((await packages(element, env)).join(' '), expected);
  });
}
