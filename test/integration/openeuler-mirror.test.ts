/** The stand-in for an openEuler mirror, judged by the tools that use mirrors. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Fault } from '../rig/openeuler-mirror/faults.ts';
import { type Mirror, openMirror } from '../rig/openeuler-mirror/mirror.ts';

const RELEASE = 'openEuler-22.03-LTS-SP4';
const ARCHIVE = 'docker_img/x86_64/openEuler-docker.x86_64.tar.xz';
/** Enough of them to see that the dependencies of a machine's packages are there. */
const MACHINE = [
  ...['NetworkManager', 'chrony', 'cloud-init', 'cloud-utils-growpart', 'dracut-config-generic'],
  ...['e2fsprogs', 'grub2-efi-x64', 'grub2-efi-x64-modules', 'grub2-pc', 'initscripts', 'kbd'],
  ...['kernel', 'openssh-server', 'passwd', 'shadow', 'shim', 'sudo', 'systemd', 'systemd-udev'],
  ...['util-linux', 'which', 'xfsprogs', 'yum'],
];

let mirror: Mirror;
before(async () => {
  mirror = await openMirror();
});
after(async () => {
  await mirror.close();
});

function release(...names: readonly string[]): string {
  return path.join(mirror.dir, 'www', RELEASE, ...names);
}

function run(argv: readonly [string, ...string[]], cwd?: string) {
  const [file, ...args] = argv;
  const env = { ...process.env, LC_ALL: 'C' };
  return spawnSync(file, args, { cwd, encoding: 'utf8', env, maxBuffer: 1 << 26 });
}

function output(argv: readonly [string, ...string[]], cwd?: string): string {
  const result = run(argv, cwd);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

function tempDir(context: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'dibkit-openeuler-'));
  context.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Runs dnf of this host with repositories of a mirror, for an empty root. The mirror is in this process. */
async function dnf(context: TestContext, { url }: Mirror, words: readonly string[]) {
  const dir = tempDir(context);
  const repositories = ['OS', 'everything', 'update', 'EPOL/main'].map((name) =>
    [
      `[${name.replace('/', '-')}]`,
      `name=${name}`,
      `baseurl=${url}/${RELEASE}/${name}/x86_64/`,
      'gpgcheck=1',
      `gpgkey=${url}/${RELEASE}/OS/x86_64/RPM-GPG-KEY-openEuler`,
    ].join('\n'),
  );
  const main = ['[main]', 'best=1', 'skip_if_unavailable=0', 'plugins=0', 'reposdir=/nowhere'];
  writeFileSync(
    path.join(dir, 'dnf.conf'),
    [...main, 'retries=1', `cachedir=${dir}/cache`, ...repositories, ''].join('\n'),
  );
  const root = path.join(dir, 'root');
  // Debian's rpm would keep its database in the home directory.
  writeFileSync(path.join(dir, '.rpmmacros'), '%_dbpath /var/lib/rpm\n');
  const where = ['-c', path.join(dir, 'dnf.conf'), '--installroot', root, '--releasever', 'none'];
  const env = { ...process.env, HOME: dir, LC_ALL: 'C' };
  return await new Promise<{ root: string; status: number | null; said: string }>((resolve) => {
    const options = { encoding: 'utf8', env, maxBuffer: 1 << 26 } as const;
    const child = execFile('dnf', ['-y', ...where, ...words], options, (_error, stdout, stderr) => {
      resolve({ root, status: child.exitCode, said: stdout + stderr });
    });
  });
}

test('the sum of the container is one that sha256sum accepts', () => {
  const line = readFileSync(`${release(ARCHIVE)}.sha256sum`, 'utf8');
  assert.match(line, /^[0-9a-f]{64} {2}openEuler-docker\.x86_64\.tar\.xz\n$/);
  for (const dir of [
    'docker_img/x86_64',
    'docker_img/aarch64',
    'docker_img/update/current/x86_64',
  ]) {
    const [arch] = dir.split('/').slice(-1);
    output(['sha256sum', '-c', `openEuler-docker.${arch}.tar.xz.sha256sum`], release(dir));
  }
});

test('the container is an archive of the members that skopeo writes', (context) => {
  const dir = tempDir(context);
  output(['tar', '-xf', release(ARCHIVE), '-C', dir]);
  const [{ Config, RepoTags, Layers }] = JSON.parse(
    readFileSync(path.join(dir, 'manifest.json'), 'utf8'),
  );
  assert.deepEqual(RepoTags, ['docker.io/library/openeuler-22.03-lts-sp4:latest']);
  assert.equal(Layers.length, 1);
  const config = JSON.parse(readFileSync(path.join(dir, Config), 'utf8'));
  const sum = output(['sha256sum', Layers[0]], dir).slice(0, 64);
  assert.equal(Layers[0], `${sum}.tar`);
  assert.deepEqual(config.rootfs.diff_ids, [`sha256:${sum}`]);
  const listed = output(['tar', '-tvf', release(ARCHIVE)]).split('\n');
  assert.ok(listed.some((line) => line.endsWith(`/layer.tar -> ../${sum}.tar`)));

  const root = path.join(dir, 'root');
  mkdirSync(root);
  output(['tar', '-xf', path.join(dir, Layers[0]), '-C', root]);
  assert.match(
    readFileSync(path.join(root, 'etc/os-release'), 'utf8'),
    /^PRETTY_NAME="openEuler 22\.03 \(LTS-SP4\)"$/m,
  );
  const repo = readFileSync(path.join(root, 'etc/yum.repos.d/openEuler.repo'), 'utf8');
  assert.equal(repo.match(/^metalink=https:\/\/mirrors\.openeuler\.org\//gm)?.length, 7);
  assert.equal(repo.match(/^metadata_expire=1h$/gm)?.length, 7);
  const names = output(['chroot', root, 'rpm', '-qa', '--queryformat', '%{NAME}\n']).split('\n');
  for (const name of ['dnf', 'bash', 'openEuler-release', 'openEuler-latest-release']) {
    assert.ok(names.includes(name), name);
  }
  for (const name of [
    'systemd',
    'util-linux',
    'shadow',
    'sudo',
    'iproute',
    'kernel',
    'gpg-pubkey',
  ]) {
    assert.ok(!names.includes(name), name);
  }
  for (const gone of ['etc/machine-id', 'etc/ld.so.cache', 'boot', 'etc/resolv.conf']) {
    assert.equal(run(['test', '-e', path.join(root, gone)]).status, 1, gone);
  }
  assert.equal(output(['stat', '--format', '%a', 'tmp'], root), '1777\n');
  assert.equal(output(['find', 'dev', 'proc', 'run', 'sys', 'tmp', '-mindepth', '1'], root), '');
});

test('every package is signed with the key that the mirror shows', (context) => {
  const dir = tempDir(context);
  const dbpath = ['--define', `_dbpath ${dir}`] as const;
  output(['rpmkeys', ...dbpath, '--import', release('OS/x86_64/RPM-GPG-KEY-openEuler')]);
  const packages = release('everything/x86_64/Packages');
  const checked = output(['sh', '-c', 'rpmkeys --define "$0" -K *.rpm', dbpath[1]], packages);
  const lines = checked.trim().split('\n');
  assert.ok(lines.length > 200, String(lines.length));
  assert.deepEqual(
    lines.filter((line) => !line.endsWith(': digests signatures OK')),
    [],
  );
  const stranger = path.join(mirror.dir, 'variants/update-stranger/Packages');
  const refused = run(['sh', '-c', 'rpmkeys --define "$0" -K *.rpm', dbpath[1]], stranger);
  assert.match(refused.stdout, /SIGNATURES NOT OK/);
});

test('dnf finds all that a machine needs', async (context) => {
  const { status, said } = await dnf(context, mirror, ['install', '--downloadonly', ...MACHINE]);
  assert.equal(status, 0, said);
});

test('dnf installs a root, empty repositories and all', async (context) => {
  const { root, status, said } = await dnf(context, mirror, ['install', 'basesystem', 'epol-only']);
  assert.equal(status, 0, said);
  const installed = output(['rpm', '--root', root, '--dbpath', '/var/lib/rpm', '-q', 'setup']);
  assert.match(installed, /^setup-1\.0-1\.oe2203sp4\.noarch/);
});

test('an update repository with a newer package is used', async (context) => {
  await using newer = await openMirror({ faults: [{ kind: 'newer' }] });
  const { status, said } = await dnf(context, newer, ['install', 'basesystem']);
  assert.equal(status, 0, said);
  assert.match(said, /basesystem +noarch +2\.0/);
});

const BROKEN: readonly (readonly [Fault, RegExp])[] = [
  [{ kind: 'stranger' }, /GPG check FAILED/],
  [
    { kind: 'half-synchronised', repository: 'update' },
    /Status code: 404 for .*update\/x86_64\/repodata\//,
  ],
  [{ kind: 'no-packages', repository: 'OS' }, /Status code: 404 for .*\.rpm/],
  [
    { kind: 'status', repository: 'OS', status: 500 },
    /Status code: 500 for .*OS\/x86_64\/repodata\/repomd\.xml/,
  ],
];
for (const [fault, message] of BROKEN) {
  test(`dnf gives up on a mirror that is broken: ${fault.kind}`, async (context) => {
    await using broken = await openMirror({ faults: [fault] });
    // Only OS and update are asked, so that everything cannot stand in.
    const { status, said } = await dnf(context, broken, [
      ...['--disablerepo', 'everything', 'install', 'basesystem'],
    ]);
    assert.equal(status, 1, said);
    assert.match(said, message);
  });
}

test('a wrong sum and a missing docker_img are as a mirror would have them', async () => {
  await using wrong = await openMirror({ faults: [{ kind: 'wrong-sum' }] });
  const sum = await fetch(`${wrong.url}/${RELEASE}/${ARCHIVE}.sha256sum`);
  assert.equal(await sum.text(), `${'0'.repeat(64)}  openEuler-docker.x86_64.tar.xz\n`);
  await using without = await openMirror({ faults: [{ kind: 'no-docker-img' }] });
  assert.equal((await fetch(`${without.url}/${RELEASE}/docker_img/`)).status, 404);
  assert.equal(
    (await fetch(`${without.url}/${RELEASE}/OS/x86_64/repodata/repomd.xml`)).status,
    200,
  );
});

test('the releases are listed; what mirrors do not have is not found', async () => {
  for (const name of ['debuginfo/x86_64/repodata/repomd.xml', 'source/repodata/repomd.xml']) {
    assert.equal((await fetch(`${mirror.url}/${RELEASE}/${name}`)).status, 404);
  }
  const listed = await (await fetch(mirror.url)).text();
  assert.deepEqual(listed.match(/(?<=href=")openEuler-[^"]*/g), [
    ...['openEuler-22.03-LTS/', 'openEuler-22.03-LTS-SP4/'],
  ]);
  assert.equal((await fetch(`${mirror.url}/metalink?repo=x&arch=x86_64`)).status, 404);
});

test('part of a file can be asked for', async (context) => {
  const url = `${mirror.url}/${RELEASE}/OS/x86_64/RPM-GPG-KEY-openEuler`;
  const dir = tempDir(context);
  const whole = path.join(dir, 'whole');
  copyFileSync(release('OS/x86_64/RPM-GPG-KEY-openEuler'), whole);
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
  assert.equal(part.status, 206);
  assert.equal(await part.text(), readFileSync(whole, 'utf8').slice(10, 20));
});
