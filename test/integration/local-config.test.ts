/** local-config, pip-cache and pypi: what of the builder's machine gets into an image, and what does not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type ElementFile, hook, openRig, type Result, type Rig } from '../rig/rig.ts';

type Environment = Readonly<Record<string, string>>;

/** Builds image.tar of the small image with `elements` and one, `mine`, of `files`. */
async function build(
  rig: Rig,
  elements: readonly string[],
  given: { readonly files: Readonly<Record<string, ElementFile>>; readonly env?: Environment },
): Promise<Result> {
  await rig.element('mine', given.files);
  const result = await rig.run(
    'disk-image-create',
    ['-n', '-t', 'tar', '-o', 'image', 'tiny-packages', 'mine', ...elements],
    { env: { DISTRO_NAME: 'tiny', ...given.env } },
  );
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-4000));
  return result;
}

/** A file of image.tar. */
function read(rig: Rig, file: string): string {
  return execFileSync('tar', ['-xOf', path.join(rig.out, 'image.tar'), `./${file}`]).toString();
}

/** Mode and owner of what image.tar has below a directory, by path. */
function listed(rig: Rig, directory: string): Record<string, string> {
  const args = ['--numeric-owner', '-tvf', path.join(rig.out, 'image.tar')];
  const lines = execFileSync('tar', args).toString().trimEnd().split('\n');
  const fields = lines.map((line) => line.split(/\s+/));
  const below = fields.filter(([, , , , , name]) => name?.startsWith(`./${directory}`));
  return Object.fromEntries(below.map(([mode, owner, , , , name]) => [name, `${mode} ${owner}`]));
}

const PROXIES = { http_proxy: 'http://proxy:3128/a,b&c', https_proxy: 'http://tls:3129' };

const CONFIGURATIONS = hook(`cd "$TARGET_ROOT/etc"
mkdir -p apt zypp sysconfig dnf
printf '[main]\\nproxy = http://older\\ngpgcheck=1\\n' >dnf/dnf.conf
ln -s dnf/dnf.conf yum.conf
printf 'PROXY_ENABLED="no"\\nHTTP_PROXY=""\\nNO_PROXY="localhost"\\n' >sysconfig/proxy`);

test('the builder may log in as the user, whose file keeps what it had', async () => {
  await using rig = await openRig();
  await mkdir(path.join(rig.home, '.ssh'));
  await writeFile(path.join(rig.home, '.ssh/authorized_keys'), 'ssh-ed25519 one\nssh-rsa two');
  await build(rig, ['local-config'], {
    env: { DIB_LOCAL_CONFIG_USERNAME: 'me' },
    files: {
      'root.d/50-me': hook(`echo 'me:x:1234:1235::/srv/me:/bin/sh' >>"$TARGET_ROOT/etc/passwd"
mkdir -p "$TARGET_ROOT/srv/me/.ssh"
printf 'ssh-rsa earlier' >"$TARGET_ROOT/srv/me/.ssh/authorized_keys"`),
    },
  });
  assert.equal(
    read(rig, 'srv/me/.ssh/authorized_keys'),
    'ssh-rsa earlier\nssh-ed25519 one\nssh-rsa two\n',
  );
  assert.deepEqual(listed(rig, 'srv/me/.ssh'), {
    './srv/me/.ssh/': 'drwx------ 1234/1235',
    './srv/me/.ssh/authorized_keys': '-rw------- 1234/1235',
  });
});

test('package managers use the proxies, and no older ones', async () => {
  await using rig = await openRig();
  const env = { ...PROXIES, no_proxy: 'host.example.org,10.0.0.0/8' };
  await build(rig, ['local-config'], { env, files: { 'root.d/50-etc': CONFIGURATIONS } });
  const apt = 'etc/apt/apt.conf.d';
  assert.equal(
    read(rig, `${apt}/02-use-http-proxy`),
    `Acquire::http::Proxy "${PROXIES.http_proxy}";\n`,
  );
  assert.equal(
    read(rig, `${apt}/02-use-https-proxy`),
    `Acquire::https::Proxy "${PROXIES.https_proxy}";\n`,
  );
  const direct = ['host.example.org', '192.0.2.1'].flatMap((host) =>
    ['http', 'https'].map((scheme) => `Acquire::${scheme}::Proxy::${host} "DIRECT";\n`),
  );
  assert.equal(read(rig, `${apt}/02-no-proxy`), direct.join(''));
  assert.equal(read(rig, 'etc/dnf/dnf.conf'), `[main]\nproxy=${PROXIES.http_proxy}\ngpgcheck=1\n`);
  assert.equal(
    read(rig, 'etc/sysconfig/proxy').split('\n').sort().join('\n').trim(),
    [
      `HTTPS_PROXY="${PROXIES.https_proxy}"`,
      `HTTP_PROXY="${PROXIES.http_proxy}"`,
      'NO_PROXY="localhost, host.example.org,10.0.0.0/8,192.0.2.1"',
      'PROXY_ENABLED="yes"',
    ].join('\n'),
  );
});

test('without proxies and keys nothing is changed', async () => {
  await using rig = await openRig();
  await build(rig, ['local-config'], { files: { 'root.d/50-etc': CONFIGURATIONS } });
  assert.equal(read(rig, 'etc/dnf/dnf.conf'), '[main]\nproxy = http://older\ngpgcheck=1\n');
  assert.deepEqual(Object.keys(listed(rig, 'etc/apt')), ['./etc/apt/']);
  assert.deepEqual(listed(rig, 'root/.ssh'), {});
});

test('pip downloads into the cache on the host, and nothing of that is in the image', async () => {
  await using rig = await openRig();
  await build(rig, ['pip-cache'], {
    files: { 'install.d/50-pip': hook('echo wheel >"$PIP_CACHE_DIR/wheel"; ls -l /tmp/pip') },
  });
  assert.deepEqual(await readdir(path.join(rig.cache, 'pip')), ['wheel']);
  assert.deepEqual(Object.keys(listed(rig, 'tmp/pip/')), []);
});

/** Prints what pip is configured with while the image is built, each line marked; logs hide secrets. */
const SHOW = hook('while IFS= read -r line; do echo "pip:$line"; done </root/.pip/pip.conf');

const EARLIER = hook(`cd "$TARGET_ROOT/root"
mkdir .pip
echo earlier | tee .pip/pip.conf >.pydistutils.cfg`);

const MIRRORS = {
  DIB_PYPI_MIRROR_URL: 'http://me:secret@site.invalid:81/pypi',
  DIB_PYPI_MIRROR_URL_1: 'https://two.invalid/',
};

const PIP_CONFIGURATIONS: readonly {
  readonly title: string;
  readonly env: Environment;
  readonly lines: readonly string[];
}[] = [
  {
    title: 'the mirrors come beside the default index',
    env: { ...MIRRORS, DIB_PIP_RETRIES: '0' },
    lines: [
      'retries = 0',
      ...['extra-index-url =', '    http://***@site.invalid:81/pypi', '    https://two.invalid/'],
      ...['trusted-host =', '    site.invalid'],
    ],
  },
  {
    title: 'the first mirror takes the place of the default index where that is not wanted',
    env: { ...MIRRORS, DIB_NO_PYPI_PIP: '1' },
    lines: [
      'index-url = http://***@site.invalid:81/pypi',
      ...['extra-index-url =', '    https://two.invalid/', 'trusted-host =', '    site.invalid'],
    ],
  },
  {
    title: 'offline the mirror in the cache is all there is',
    env: { DIB_OFFLINE: '1' },
    lines: ['index-url = file:///tmp/pypi'],
  },
];

for (const { title, env, lines } of PIP_CONFIGURATIONS) {
  test(`pypi: ${title}, and afterwards all is as before`, async () => {
    await using rig = await openRig();
    await mkdir(path.join(rig.cache, 'pypi/mirror/simple'), { recursive: true });
    const result = await build(rig, ['pypi'], {
      env,
      files: {
        'root.d/50-earlier': EARLIER,
        'install.d/50-show': SHOW,
        'install.d/51-mirror': hook('[ -d /tmp/pypi/simple ] && [ ! -e /root/.pydistutils.cfg ]'),
      },
    });
    const shown = [...result.stdout.matchAll(/pip:(.*)$/gm)].map((match) => match[1]);
    assert.deepEqual(shown, ['[global]', ...lines]);
    assert.equal(read(rig, 'root/.pip/pip.conf'), 'earlier\n');
    assert.equal(read(rig, 'root/.pydistutils.cfg'), 'earlier\n');
    assert.deepEqual(Object.keys(listed(rig, 'root/.pip')).sort(), [
      './root/.pip/',
      './root/.pip/pip.conf',
    ]);
  });
}
