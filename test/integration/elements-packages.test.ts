/** Where packages come from: apt sources, downloads, and the hooks that install plain files. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, utimes } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { type HookResult, ROOT, runHook, withFiles } from '../rig/run-hook.ts';

const script = (name: string): string => path.join(ROOT, 'elements', name);
const SOURCES = script('debootstrap/debootstrap.d/apt-sources.bash');

type Variables = Readonly<Record<string, string>>;

/** apt-get knows origins only from lists that it has fetched. */
const FORGET_ORIGIN = `forget=cat
[ "$2" != --no-release-info ] || forget='sed "s/^[^|]*|[^|]*/x|y/"'
`;

/** Runs shell code with the functions of apt-sources.bash; the host's apt answers `indexes`. */
async function aptSources(code: string, env: Variables = {}, indexes = ''): Promise<HookResult> {
  await using dir = await withFiles({
    'apt-get': `#!/bin/sh\n${FORGET_ORIGIN}cat <<'EOT' | eval "$forget"\n${indexes}\nEOT\n`,
  });
  return await runHook(
    ['bash', '-euc', `. "$0"; host_distro() { echo debian; }; ${code}`, SOURCES],
    { DISTRO_NAME: 'debian', DIB_RELEASE: 'bookworm', ...env },
    dir.root,
  );
}

const HOST = [
  'Google|cloud|https://example.org/apt/|cloud-bookworm|main',
  'Debian|Debian|http://mirror.example/debian/|bookworm-updates|main',
  'Debian|Debian|http://mirror.example/debian/|bookworm|contrib',
  'Debian|Debian|http://mirror.example/debian/|bookworm|main',
  'Debian|Debian-Security|http://safe.example/debian-security/|bookworm-security|main',
].join('\n');

/** A host with a mirror of its own, which only the origin in its lists tells from the other one. */
const CORPORATE_HOST = [
  'Third|party|http://third.example/|bookworm|main',
  'Debian|Debian|http://corp.example/remote/|bookworm|main',
  'Debian|Debian-Security|http://corp.example/remote-sec/|bookworm-security|main',
].join('\n');

const lines = (...of: readonly string[]): string => of.map((line) => `${line}\n`).join('');

const SOURCE_CASES: readonly {
  readonly claim: string;
  readonly host?: string;
  readonly env?: Record<string, string>;
  readonly sources: string;
}[] = [
  {
    claim: "the host's own mirrors serve where nothing is set",
    host: HOST,
    sources: lines(
      'default:deb http://mirror.example/debian bookworm main',
      'updates:deb http://mirror.example/debian bookworm-updates main',
      'security:deb http://safe.example/debian-security bookworm-security main',
    ),
  },
  {
    claim: 'a mirror of an unusual path is known by its origin, not by the name of its suite',
    host: CORPORATE_HOST,
    sources: lines(
      'default:deb http://corp.example/remote bookworm main',
      'updates:deb http://corp.example/remote bookworm-updates main',
      'security:deb http://corp.example/remote-sec bookworm-security main',
    ),
  },
  {
    claim: 'a host of another distribution has no say',
    host: HOST,
    env: { DISTRO_NAME: 'ubuntu' },
    sources: '',
  },
  { claim: 'with nothing known the bootstrap tool decides', sources: '' },
  {
    claim: 'a mirror that is set brings its neighbour for security',
    env: { DIB_DISTRIBUTION_MIRROR: 'http://m/debian/', DIB_DEBIAN_COMPONENTS: 'main,contrib' },
    sources: lines(
      'default:deb http://m/debian/ bookworm main contrib',
      'updates:deb http://m/debian/ bookworm-updates main contrib',
      'security:deb http://m/debian-security bookworm-security main contrib',
    ),
  },
  {
    claim: 'a mirror of an unusual layout comes without a guess',
    env: { DIB_DISTRIBUTION_MIRROR: 'http://m/pool' },
    sources: lines(
      'default:deb http://m/pool bookworm main',
      'updates:deb http://m/pool bookworm-updates main',
    ),
  },
  {
    claim: 'security goes by its own mirror and subpath where they are set',
    env: {
      DIB_DISTRIBUTION_MIRROR: 'http://m/debian',
      DIB_DEBIAN_SECURITY_MIRROR: 'http://s',
      DIB_DEBIAN_SECURITY_SUBPATH: '/updates',
    },
    sources: lines(
      'default:deb http://m/debian bookworm main',
      'updates:deb http://m/debian bookworm-updates main',
      'security:deb http://s bookworm/updates main',
    ),
  },
  {
    claim: 'unstable has one suite',
    env: { DIB_DISTRIBUTION_MIRROR: 'http://m/debian', DIB_RELEASE: 'unstable' },
    sources: lines('default:deb http://m/debian unstable main'),
  },
  {
    claim: 'sources that are spelt out are all there are',
    host: HOST,
    env: {
      DIB_APT_SOURCES_CONF: '\na:deb http://m x main\n\nb:deb [arch=amd64] http://n y main\n',
    },
    sources: lines('a:deb http://m x main', 'b:deb [arch=amd64] http://n y main'),
  },
];

for (const { claim, host, env, sources } of SOURCE_CASES) {
  test(`sources: ${claim}`, async () => {
    const { stdout, stderr } = await aptSources('target_apt_sources', env, host);
    assert.equal(stderr, '');
    assert.equal(stdout, sources);
  });
}

test('sources are written to one file each, and none has an empty name', async () => {
  await using dir = await withFiles({});
  const text = 'a:deb http://m x main\n\nb: deb http://n y main\na:deb-src http://m x main\n';
  await aptSources('printf %s "$TEXT" | write_apt_sources "$OUT"', { TEXT: text, OUT: dir.root });
  const folder = `${dir.root}/etc/apt/sources.list.d`;
  assert.deepEqual((await readdir(folder)).sort(), ['a.list', 'b.list']);
  assert.equal(
    await readFile(`${folder}/a.list`, 'utf8'),
    lines('deb http://m x main', 'deb-src http://m x main'),
  );
});

test('a source that is no source is refused by its text', async () => {
  await using dir = await withFiles({});
  const { status, stderr } = await aptSources(
    'echo "deb http://m x main" | write_apt_sources "$OUT"',
    { OUT: dir.root },
  );
  assert.notEqual(status, 0);
  assert.match(stderr, /'deb http:\/\/m x main' is not of the form 'name:deb URI/);
});

interface Site extends AsyncDisposable {
  readonly url: string;
  /** The If-Modified-Since and Cache-Control of each request. */
  readonly asked: string[];
}

/** A server whose /file changed in 2020, whose /missing is not there and whose /broken is broken. */
async function openSite(): Promise<Site> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const since = request.headers['if-modified-since'];
    asked.push(`${since === undefined ? '' : 'since'} ${request.headers['cache-control'] ?? ''}`);
    if (request.url === '/missing') response.writeHead(404).end('nothing here');
    else if (request.url === '/broken') response.writeHead(403).end();
    else if (since !== undefined && Date.parse(since) > Date.UTC(2020))
      response.writeHead(304).end();
    else response.writeHead(200).end('content');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const CACHE_URL = script('cache-url/bin/cache-url');
const NO_PROXY = { no_proxy: '*' };

test('cache-url downloads, keeps what is current, fetches what has changed, and on -f anew', async () => {
  await using site = await openSite();
  await using dir = await withFiles({});
  const file = `${dir.root}/new/folder/file`;
  const get = (...options: string[]): Promise<HookResult> =>
    runHook([CACHE_URL, ...options, `${site.url}/file`, file], NO_PROXY);

  assert.match((await get()).stdout, /for the first time/);
  assert.equal(await readFile(file, 'utf8'), 'content');
  assert.equal((await stat(file)).mode & 0o777, 0o644);
  assert.match((await get()).stdout, /Server copy has not changed/);
  await utimes(file, 0, 0);
  assert.match((await get()).stdout, /Server copy has changed/);
  assert.match((await get('-f')).stdout, /forced upstream caches to revalidate/);
  assert.deepEqual(site.asked, [' ', 'since ', 'since ', ' no-cache, must-revalidate']);
});

test('cache-url ends with 44 for a missing file, 1 for other answers, and leaves nothing', async () => {
  await using site = await openSite();
  await using dir = await withFiles({});
  const statuses: (number | null)[] = [];
  for (const name of ['missing', 'broken']) {
    const { status } = await runHook([CACHE_URL, `${site.url}/${name}`, `${dir.root}/f`], NO_PROXY);
    statuses.push(status);
  }
  statuses.push((await runHook([CACHE_URL, 'file:///nowhere/at/all', `${dir.root}/f`])).status);
  // 37: curl could not read the file. Source: curl(1).
  assert.deepEqual(statuses, [44, 1, 37]);
  assert.deepEqual(await readdir(dir.root), []);
});

test('install-types links the hooks of the chosen type only', async () => {
  await using dir = await withFiles({
    'hooks/install.d/app-source-install/50-app': '#!/bin/sh\necho source\n',
    'hooks/install.d/app-package-install/50-app': '#!/bin/sh\necho package\n',
    'hooks/install.d/my-lib-source-install/60-lib': '#!/bin/sh\n',
    'hooks/install.d/my-lib-package-install/60-other': '#!/bin/sh\n',
  });
  const { stderr } = await runHook([script('install-types/extra-data.d/99-enable-install-types')], {
    TMP_HOOKS_PATH: `${dir.root}/hooks`,
    DIB_DEFAULT_INSTALLTYPE: 'source',
    DIB_INSTALLTYPE_my_lib: 'package',
  });
  assert.equal(stderr, '');
  const names = (await readdir(`${dir.root}/hooks/install.d`)).filter((name) => /^\d/.test(name));
  assert.deepEqual(names.sort(), ['50-app', '60-other']);
  assert.match(await readFile(`${dir.root}/hooks/install.d/50-app`, 'utf8'), /source/);
});

/** A root with the host's programs, in which absolute paths of hooks are the test's own. */
async function inRoot(
  root: string,
  argv: readonly string[],
  env: Variables = {},
): Promise<HookResult> {
  const mounts = ['bin', 'lib', 'lib64', 'sbin', 'usr/bin', 'usr/lib', 'usr/lib64', 'usr/sbin'];
  for (const name of [...mounts, 'usr/local/bin', 'dev']) {
    await mkdir(`${root}/${name}`, { recursive: true });
  }
  const code = [
    `for d in ${mounts.join(' ')}; do [ ! -d "/$d" ] || mount --bind "/$d" "$0/$d"; done`,
    'mount --bind /dev "$0/dev"',
    'exec chroot "$0" "$@"',
  ].join('\n');
  return await runHook(
    ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', code, root, ...argv],
    { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env },
  );
}

test('install-bin installs programs executable, and no folders', async () => {
  await using dir = await withFiles({
    'h/pre-install.d/01': await readFile(
      script('install-bin/pre-install.d/01-install-bin'),
      'utf8',
    ),
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'h/bin/tool': 'text',
    'h/bin/folder/inner': 'text',
  });
  const { status, stderr } = await inRoot(dir.root, ['/h/pre-install.d/01']);
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(await readdir(`${dir.root}/usr/local/bin`), ['tool']);
  assert.equal((await stat(`${dir.root}/usr/local/bin/tool`)).mode & 0o777, 0o755);
});

test('install-bin has nothing to do without bin/', async () => {
  await using dir = await withFiles({
    'h/pre-install.d/01': await readFile(
      script('install-bin/pre-install.d/01-install-bin'),
      'utf8',
    ),
  });
  assert.equal((await inRoot(dir.root, ['/h/pre-install.d/01'])).status, 0);
});

test('install-static copies to / and leaves out what CVS ignores', async () => {
  const hook = script('install-static/install.d/10-install-static-files');
  await using dir = await withFiles({
    'h/install.d/10': await readFile(hook, 'utf8'),
    'h/static/etc/app.conf': 'text',
    'h/static/etc/app.conf~': 'backup',
    'h/static/opt/run': '#!/bin/sh\n',
  });
  const { status, stderr } = await inRoot(dir.root, ['/h/install.d/10']);
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(await readdir(`${dir.root}/etc`), ['app.conf']);
  assert.deepEqual(await readdir(`${dir.root}/opt`), ['run']);
});

/** Runs install-packages in this machine's root with `files` over it, on a memory that goes with it; prints `shown`. */
async function installed(files: Variables, shown: string): Promise<HookResult> {
  await using dir = await withFiles({
    'usr/local/bin/install-packages': await readFile(script('dpkg/bin/install-packages'), 'utf8'),
    'usr/local/bin/dpkg-divert': '#!/bin/sh\n',
    'usr/sbin/update-initramfs': '#!/bin/sh\n',
    ...files,
  });
  const code = [
    'mount -t tmpfs tmpfs /mnt',
    'mkdir /mnt/upper /mnt/work /mnt/root',
    'cp -R "$0/." /mnt/upper',
    'mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root',
    'PATH=/usr/local/bin:/usr/sbin:/usr/bin chroot /mnt/root install-packages x >&2',
    'cat "/mnt/root/$1"',
  ].join('\n');
  const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', code];
  return await runHook([...unshare, dir.root, shown]);
}

for (const prefix of ['iqn.1993-08.org.debian:01', 'iqn.2004-10.com.ubuntu:01']) {
  test(`the name that open-iscsi draws (${prefix}) is each machine's own`, async () => {
    const name = 'etc/iscsi/initiatorname.iscsi';
    const apt = `#!/bin/sh\nmkdir -p /etc/iscsi\nprintf '## Mine\\nInitiatorName=${prefix}:27df23157b7a\\n' >/${name}\n`;
    const files = {
      'usr/local/bin/apt-get': apt,
      'usr/lib/open-iscsi/startup-checks.sh': '',
    };
    const { status, stdout, stderr } = await installed(files, name);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, '## Mine\nGenerateName=yes\n');
  });
}

for (const [release, how] of [
  ['jammy', 'with'],
  ['noble', 'without'],
] as const) {
  test(`Ubuntu ${release} is bootstrapped ${how} mmdebstrap's hook for a merged /usr`, async () => {
    await using dir = await withFiles({ 'bin/mmdebstrap': '#!/bin/sh\necho "$*"\nexit 9\n' });
    const env = {
      DISTRO_NAME: 'ubuntu',
      DIB_RELEASE: release,
      DIB_APT_SOURCES_CONF: `default:deb http://m/ubuntu ${release} main`,
      DIB_APT_LOCAL_CACHE: '0',
      DIB_IMAGE_CACHE: `${dir.root}/cache`,
      DIB_LOCKFILES: `${dir.root}/locks`,
      ARCH: 'amd64',
      TARGET_ROOT: dir.root,
      TMP_BUILD_DIR: dir.root,
      TMP_HOOKS_PATH: script('debootstrap'),
      _LIB: path.join(ROOT, 'hooks/lib'),
    };
    const hook = [script('debootstrap/root.d/08-debootstrap')];
    const { status, stdout, stderr } = await runHook(hook, env, `${dir.root}/bin`);
    assert.equal(status, 9, stderr);
    assert.equal(/--hook-dir=\S*merged-usr/.test(stdout), how === 'with', stdout);
  });
}
