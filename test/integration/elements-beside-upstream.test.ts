/**
 * Hooks of elements whose packages come from places that no test reaches: upstream's, from Debian's package of
 * diskimage-builder, and ours do the same in the same root, with stand-ins for the programs that fetch.
 */
import assert from 'node:assert/strict';
import { lstat, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { UPSTREAM_ELEMENTS } from '../rig/differential.ts';
import { ROOT } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

interface Side {
  readonly elements: string;
  /** Calls that only this side needs, or makes in another way. */
  readonly leaveOut?: RegExp;
}

const OURS: Side = { elements: path.join(ROOT, 'elements') };

interface Row {
  readonly hook: string;
  readonly env: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly stubs?: Readonly<Record<string, string>>;
  /** Directories in which all files are to be the same. */
  readonly compare: readonly string[];
  /** How upstream comes to the same, where that is another way. */
  readonly leaveOut?: RegExp;
}

/** What a hook leaves: its status, the files in `compare`, and which stubs it has called. */
async function leavesOf({ elements, leaveOut }: Side, row: Row) {
  await using target = await openTarget(row.files, row.stubs);
  const script = await readFile(path.join(elements, row.hook), 'utf8');
  const { status } = await target.run(script, [], row.env);
  const files: Record<string, string> = {};
  for (const directory of row.compare) {
    for (const name of await target.files(directory)) {
      const file = path.join(directory, name);
      const at = path.join(target.dir, file);
      files[file] = (await lstat(at)).isSymbolicLink()
        ? `-> ${await readlink(at)}`
        : ((await target.read(file)) ?? '');
    }
  }
  const calls = (await target.calls()).filter((call) => leaveOut?.test(call) !== true);
  return { status, files, calls };
}

/** A venv with a pip that says what it was asked for. */
const VENV = `case "$2" in venv)
  mkdir -p "$3/bin"
  printf '#!/bin/sh\\necho "pip $*" >>/calls\\n' >"$3/bin/pip"
  chmod +x "$3/bin/pip" ;;
esac`;

const INTERFACES = {
  'etc/network/interfaces': 'auto eth0\n',
  'etc/network/interfaces.d/eth0': 'x',
  'etc/network/interfaces.d/ens3': 'x',
  'etc/network/interfaces.d/other': 'x',
  'etc/sysconfig/network-scripts/ifcfg-eth0': 'x',
  'etc/sysconfig/network-scripts/ifcfg-lo': 'x',
  'etc/sysconfig/network/ifcfg-en1': 'x',
  'etc/conf.d/net.eth0': 'x',
};

const EPEL = [
  '[epel]',
  '#baseurl=https://download.fedoraproject.org/pub/epel/$releasever/Everything/$basearch',
  'metalink=https://mirrors.fedoraproject.org/metalink?repo=epel-$releasever',
  'enabled=1',
  'gpgcheck=1',
  '',
].join('\n');
/** Upstream has the package manager switch it off, we do it ourselves. */
const DNF = {
  dnf: `case "$*" in
    *config-manager*) sed -i s/^enabled=1/enabled=0/ /etc/yum.repos.d/epel*.repo ;;
    *epel-release*) mkdir -p /etc/yum.repos.d; cp /epel /etc/yum.repos.d/epel.repo ;;
  esac`,
  rpm: 'exit 0',
};

const SYSTEM = { DIB_INIT_SYSTEM: 'systemd', DIB_RELEASE: 'stable', DIB_PYTHON_VERSION: '3' };
const epel = (more: Readonly<Record<string, string>>): Row => ({
  hook: 'epel/pre-install.d/05-rpm-epel-release',
  env: { ...SYSTEM, DISTRO_NAME: 'centos', YUM: 'dnf', ARCH: 'amd64', ...more },
  files: { epel: EPEL },
  stubs: DNF,
  compare: ['etc/yum.repos.d'],
  // Whether it is called with -y or --assumeyes, and what there is to switch repositories off with.
  leaveOut: /^(?:rpm|dnf)/,
});

const ROWS: readonly Row[] = [
  ...['source', 'repo'].map((type) => ({
    hook: `simple-init/install.d/simple-init-${type}-install/40-glean`,
    env: SYSTEM,
    stubs: { python3: VENV },
    compare: ['usr/local'],
  })),
  ...['0', '1'].map((networkManager) => ({
    hook: 'simple-init/install.d/50-simple-init',
    env: { ...SYSTEM, DISTRO_NAME: 'debian', DIB_SIMPLE_INIT_NETWORKMANAGER: networkManager },
    files: { 'etc/modules': '# loaded\n' },
    stubs: { 'glean-install': '' },
    compare: ['etc'],
  })),
  ...['debian', 'fedora', 'opensuse', 'gentoo'].map((distribution) => ({
    hook: 'simple-init/install.d/60-simple-init-remove-interfaces',
    env: { ...SYSTEM, DISTRO_NAME: distribution },
    files: INTERFACES,
    compare: ['etc'],
  })),
  ...['debian', 'opensuse', 'fedora'].map((distribution) => ({
    hook: 'simple-init/post-install.d/80-simple-init',
    env: { ...SYSTEM, DISTRO_NAME: distribution, DIB_SIMPLE_INIT_NETWORKMANAGER: '0' },
    stubs: { systemctl: '' },
    compare: [],
  })),
  epel({}),
  epel({ DIB_EPEL_DISABLED: '1' }),
  epel({ DIB_EPEL_MIRROR: 'https://mirror.invalid/epel' }),
  ...['0', '1'].map((keep) => ({
    hook: 'pip-and-virtualenv/post-install.d/89-clean-up-pip-cache',
    env: { ...SYSTEM, DIB_DISABLE_PIP_CLEANUP: keep },
    files: { 'root/.cache/pip/x': 'x', 'root/.cache/other': 'x' },
    compare: ['root'],
  })),
];

for (const row of ROWS) {
  const { DISTRO_NAME = '', DIB_EPEL_DISABLED = '', DIB_EPEL_MIRROR = '' } = row.env;
  const with_ = [DISTRO_NAME, DIB_EPEL_DISABLED, DIB_EPEL_MIRROR].filter(Boolean).join(' ');
  test(`${row.hook} ${with_} leaves what upstream's does`, async () => {
    const sides = [{ elements: UPSTREAM_ELEMENTS }, OURS].map((side) => ({
      ...side,
      ...(row.leaveOut === undefined ? {} : { leaveOut: row.leaveOut }),
    }));
    const [theirs, ours] = await Promise.all(sides.map((side) => leavesOf(side, row)));
    assert.deepEqual(ours, theirs);
    assert.equal(ours?.status, 0);
  });
}

test('pip-and-virtualenv tells hooks how to call pip and venv in the same words', async () => {
  const shown = 'echo "$DIB_PYTHON_PIP|$DIB_PYTHON_VIRTUALENV|$DIB_INSTALLTYPE_pip_and_virtualenv"';
  const names = ['51-pip-and-virutalenv-default.bash', '51-pip-and-virtualenv-default.bash'];
  for (const version of ['2', '3']) {
    const printed = [UPSTREAM_ELEMENTS, OURS.elements].map(async (elements, index) => {
      const file = `pip-and-virtualenv/environment.d/${names[index]}`;
      // Where newer ones of upstream's have it.
      const text = (await readFile(path.join(elements, file), 'utf8')).replaceAll(
        '/usr/bin/dib-python',
        '/usr/local/bin/dib-python',
      );
      await using target = await openTarget();
      const link = 'ln -s /usr/bin/python3 /usr/local/bin/dib-python';
      const script = `#!/bin/bash\nset -eu -o pipefail\n${link}\n${text}\n${shown}\n`;
      // What upstream does by itself on CentOS, ours does everywhere.
      const env = { DISTRO_NAME: 'centos', DIB_RELEASE: '9', DIB_PYTHON_VERSION: version };
      return (await target.run(script, [], env)).stdout;
    });
    const [theirs, ours] = await Promise.all(printed);
    assert.equal(ours, theirs);
    assert.match(ours ?? '', /python\d -m pip\|.*python\d -m (venv|virtualenv)\|package/);
  }
});

type PackageMap = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What a package is called, as pkg-map finds it for a distribution of a family. */
function mapped(map: PackageMap, name: string, [family, distribution]: readonly string[]): string {
  const of = (section: string, key = ''): unknown =>
    (map[section]?.[key] as Record<string, string> | undefined)?.[name];
  return String(of('distro', distribution) ?? of('family', family) ?? map.default?.[name] ?? name);
}

async function packagesOf(elements: string, element: string): Promise<[string[], PackageMap]> {
  const at = (name: string) => readFile(path.join(elements, element, name), 'utf8');
  const names = Object.keys(parse(await at('package-installs.yaml')) as object);
  return [names, JSON.parse(await at('pkg-map')) as PackageMap];
}

test('simple-init and pip-and-virtualenv install what upstream installs, by the same names', async () => {
  for (const element of ['simple-init', 'pip-and-virtualenv']) {
    const [names, map] = await packagesOf(UPSTREAM_ELEMENTS, element);
    const [ourNames, ourMap] = await packagesOf(OURS.elements, element);
    assert.deepEqual(
      names.filter((name) => !ourNames.includes(name)),
      [],
      element,
    );
    for (const distribution of [
      ['debian', 'debian'],
      ['debian', 'ubuntu'],
      ['redhat', 'centos'],
      ['redhat', 'fedora'],
      ['suse', 'opensuse'],
    ]) {
      const listed = (which: PackageMap): readonly string[] =>
        names.map((name) => `${name}: ${mapped(which, name, distribution)}`);
      assert.deepEqual(listed(ourMap), listed(map), `${element} on ${distribution.join()}`);
    }
  }
});
