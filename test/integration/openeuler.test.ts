/**
 * openEuler machines, built from a stand-in for its mirror; see test/rig/openeuler-mirror.
 *
 * With DIBKIT_TEST_OPENEULER_MIRROR they are built from that mirror instead, for example
 * https://repo.openeuler.org, and skipped where it cannot be reached.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { boot, type Machine } from '../rig/boot.ts';
import { chooseMirror, REAL_MIRROR } from '../rig/openeuler-mirror/real-mirror.ts';
import { openRig, type Result, type Rig } from '../rig/rig.ts';

const GIB = 1024 ** 3;
/** Of Debian's package ovmf. */
const FIRMWARE = '/usr/share/ovmf/OVMF.fd';

const RELEASES = { bios: '22.03-LTS', efi: '22.03-LTS-SP4' };

const mirror = await chooseMirror(process.env[REAL_MIRROR], Object.values(RELEASES));
/** Why there is nothing to be tested, or false. */
const skip = 'skip' in mirror ? mirror.skip : false;
const url = 'url' in mirror ? mirror.url : '';

let rig: Rig;
let key: string;

before(async () => {
  rig = await openRig();
  key = path.join(rig.dir, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
});

after(async () => {
  await rig[Symbol.asyncDispose]();
  if ('close' in mirror) {
    await mirror.close();
  }
});

async function build(name: string, elements: readonly string[], release: string): Promise<Result> {
  const result = await rig.run(
    'disk-image-create',
    ['-u', '-t', 'qcow2,tar', '-o', name, 'vm', ...elements, 'devuser', 'openssh-server'],
    {
      env: {
        DIB_RELEASE: release,
        DIB_DISTRIBUTION_MIRROR: url,
        DIB_DEV_USER_AUTHORIZED_KEYS: `${key}.pub`,
        DIB_DEV_USER_PWDLESS_SUDO: 'yes',
      },
    },
  );
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-6000));
  return result;
}

/** The image on a disk of 8 GiB, which is larger than it. */
function onLargeDisk(name: string): string {
  const large = path.join(rig.dir, `${name}-large.qcow2`);
  const backing = ['-b', path.join(rig.out, `${name}.qcow2`), '-F', 'qcow2'];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, large, '8G']);
  return large;
}

async function guest(machine: Machine, command: string): Promise<string> {
  const answer = await machine.ssh({ user: 'devuser', key }, command);
  assert.equal(answer.status, 0, `'${command}': ${answer.stderr}`);
  return answer.stdout.trim();
}

async function assertGoodMachine(machine: Machine, greeting: RegExp): Promise<void> {
  assert.match(await machine.waitForLogin(), greeting);
  assert.equal(await guest(machine, 'sudo id -u'), '0');
  const state = await guest(machine, 'systemctl is-system-running --wait; true');
  assert.equal(state, 'running', await guest(machine, 'systemctl --failed'));
  const size = Number(await guest(machine, 'df -B1 --output=size / | tail -n 1'));
  assert.ok(size > 6 * GIB, `the root has ${size} bytes on a disk of ${8 * GIB}`);
  assert.match(await guest(machine, 'cat /etc/machine-id'), /^[0-9a-f]{32}$/);
}

/** The tar of an image, as a directory. */
async function unpacked(name: string): Promise<string> {
  const tree = path.join(rig.dir, `${name}.tree`);
  await mkdir(tree);
  execFileSync('tar', ['-C', tree, '--exclude=./dev/*', '-xf', path.join(rig.out, `${name}.tar`)]);
  return tree;
}

async function assertNoLeftovers(tree: string): Promise<void> {
  assert.equal(await readFile(path.join(tree, 'etc/machine-id'), 'utf8'), 'uninitialized\n');
  const resolver = await readFile(path.join(tree, 'etc/resolv.conf'), 'utf8').catch(() => '');
  assert.notEqual(resolver, await readFile('/etc/resolv.conf', 'utf8'));
  for (const empty of ['var/cache/dnf', 'var/cache/ldconfig', 'var/lib/dnf', 'tmp']) {
    assert.deepEqual(await readdir(path.join(tree, empty)), [], empty);
  }
  assert.deepEqual(await readdir(path.join(tree, 'etc/yum.repos.d')), ['openEuler.repo']);
  const grep = [
    '-rlIE',
    '--exclude-dir=dib-manifests',
    `${url.replaceAll('.', '\\.')}|TMOUT|keepcache`,
    path.join(tree, 'etc'),
  ];
  assert.deepEqual(execFails('grep', grep), { status: 1, stdout: '' });
  const leftovers = ['*.dib', '.rpmdb', 'ssh_host_*', 'dnf*.log', '*.sqlite-wal', '.bash_history'];
  const names = leftovers.flatMap((name) => ['-o', '-name', name]).slice(1);
  assert.equal(execFileSync('find', [tree, ...names], { encoding: 'utf8' }), '');
  const logs = execFileSync('find', [path.join(tree, 'var/log'), '-type', 'f', '-size', '+0']);
  assert.equal(logs.toString(), '');
}

function execFails(file: string, args: readonly string[]): { status: number; stdout: string } {
  try {
    return { status: 0, stdout: execFileSync(file, args, { encoding: 'utf8' }) };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    return { status, stdout };
  }
}

test('the mirror has what the elements ask it for', { skip }, async () => {
  for (const release of Object.values(RELEASES)) {
    const image = 'docker_img/x86_64/openEuler-docker.x86_64.tar.xz';
    const repositories = ['OS', 'everything', 'EPOL/main', 'update'];
    for (const file of [
      ...[image, `${image}.sha256sum`, 'OS/x86_64/RPM-GPG-KEY-openEuler'],
      ...repositories.map((name) => `${name}/x86_64/repodata/repomd.xml`),
    ]) {
      const { status } = await fetch(`${url}/openEuler-${release}/${file}`, { method: 'HEAD' });
      assert.equal(status, 200, `${release}/${file}`);
    }
  }
});

test('vm openeuler: its disk starts by the BIOS, grows, and lets the key in', {
  skip,
}, async () => {
  const result = await build('oe', ['openeuler'], RELEASES.bios);
  const packages = JSON.parse(
    await readFile(path.join(rig.out, 'oe.d/dib-manifests/dib-manifest-rpm-oe'), 'utf8'),
  ) as { packages: { package: string }[] };
  assert.ok(packages.packages.some((one) => one.package === 'kernel'));
  assert.match(
    result.stdout + result.stderr,
    /Unpacked '.*openEuler-docker\.x86_64\.tar\.xz': 1 layer/,
  );

  const tree = await unpacked('oe');
  await assertNoLeftovers(tree);
  assert.match(
    await readFile(path.join(tree, 'etc/yum.repos.d/openEuler.repo'), 'utf8'),
    /repo\.openeuler\.org/,
  );

  await using machine = await boot(onLargeDisk('oe'), { memoryMiB: 1024 });
  await assertGoodMachine(machine, /openEuler 22\.03 LTS/);
  assert.equal(await guest(machine, 'cloud-init status'), 'status: disabled');
  assert.match(await guest(machine, 'cat /proc/cmdline'), /root=LABEL=.* console=ttyS0/);
});

test('vm openeuler-minimal: its disk starts by EFI, grows, and lets the key in', {
  skip,
}, async () => {
  const elements = ['openeuler-minimal', 'block-device-efi'];
  await build('minimal', elements, RELEASES.efi);
  const tree = await unpacked('minimal');
  await assertNoLeftovers(tree);
  const repositories = path.join(tree, 'etc/yum.repos.d/openEuler.repo');
  assert.match(
    await readFile(repositories, 'utf8'),
    /^metalink=https:\/\/mirrors\.openeuler\.org/m,
  );

  const args = ['-bios', FIRMWARE];
  await using machine = await boot(onLargeDisk('minimal'), { memoryMiB: 1024, args });
  await assertGoodMachine(machine, /openEuler 22\.03 \(LTS-SP4\)/);
  assert.equal(await guest(machine, 'test -d /sys/firmware/efi && echo efi'), 'efi');
  assert.match(await guest(machine, 'findmnt -no FSTYPE /boot/efi'), /vfat/);
});
