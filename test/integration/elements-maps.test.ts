/** pkg-map and svc-map: the names of packages and services in a distribution. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type HookResult, ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';

const script = (name: string): string => path.join(ROOT, 'elements', name);

/** `IMAGE_ELEMENT_YAML` and the paths of a build whose elements are in `dir`/elements. */
function build(dir: TestDirectory, names: readonly string[]): Record<string, string> {
  const entries = names.map((name) => `${name}: ${dir.root}/elements/${name}`);
  return {
    IMAGE_ELEMENT_YAML: `{${entries.join(', ')}}`,
    TMP_MOUNT_PATH: `${dir.root}/target`,
    TMP_HOOKS_PATH: `${dir.root}/hooks`,
  };
}

const MAP = {
  release: { debian: { bookworm: { ssl: 'libssl3' } }, centos: { 9: { ssl: 'openssl9' } } },
  distro: { debian: { iscsi: 'open-iscsi', gone: '' }, rocky: { iscsi: 'rocky-iscsi' } },
  family: {
    redhat: { iscsi: 'iscsi-initiator-utils', many: 'a  b' },
    debian: { iscsi: 'family', ssl: 'libssl-dev' },
  },
  default: { iscsi: 'iscsi', ssl: 'openssl', 'with space': 'odd', gone: 'here' },
};

async function pkgMap(...args: readonly string[]): Promise<HookResult> {
  await using dir = await withFiles({ 'elements/e/pkg-map': JSON.stringify(MAP) });
  await mkdir(`${dir.root}/target`);
  const hook = await runHook(
    [script('pkg-map/extra-data.d/10-create-pkg-map-dir')],
    build(dir, ['e']),
  );
  assert.equal(hook.stderr, '');
  return await runHook([script('pkg-map/bin/pkg-map'), ...args], {
    PKG_MAP_DIR: `${dir.root}/target/usr/share/pkg-map`,
    DISTRO_NAME: 'debian',
    DIB_RELEASE: 'bookworm',
  });
}

const LOOKUPS: readonly { readonly args: string; readonly names: readonly string[] }[] = [
  { args: 'iscsi', names: ['open-iscsi'] },
  { args: 'ssl', names: ['libssl3'] },
  { args: '--release trixie ssl', names: ['libssl-dev'] },
  { args: '--distro ubuntu iscsi', names: ['family'] },
  { args: '--distro=rocky iscsi many', names: ['rocky-iscsi', 'a', 'b'] },
  { args: '--distro centos --release 9-stream ssl', names: ['openssl9'] },
  { args: '--distro fedora iscsi', names: ['iscsi-initiator-utils'] },
  { args: '--distro nowhere iscsi', names: ['iscsi'] },
  { args: 'gone ssl', names: ['libssl3'] },
  { args: '--missing-ok curl iscsi', names: ['curl', 'open-iscsi'] },
  { args: '--prefix - --missing-ok curl iscsi', names: ['-curl', '-open-iscsi'] },
  { args: '--prefix 100% iscsi', names: ['100%open-iscsi'] },
];

for (const { args, names } of LOOKUPS) {
  test(`pkg-map --element e ${args} prints ${names.join(' ')}`, async () => {
    const result = await pkgMap('--element', 'e', ...args.split(' '));
    assert.deepEqual(result, {
      status: 0,
      stderr: '',
      stdout: names.map((n) => `${n}\n`).join(''),
    });
  });
}

test('pkg-map prints the names as they are when the element has no map and that is fine', async () => {
  const { status, stdout } = await pkgMap(
    '--element',
    'none',
    '--missing-ok',
    '--prefix',
    'p-',
    'a',
  );
  assert.deepEqual([status, stdout], [0, 'p-a\n']);
});

const FAILURES: readonly { readonly args: string; readonly status: number; says: RegExp }[] = [
  { args: '--element e nothing', status: 1, says: /no mapping for nothing/ },
  { args: '--element none a', status: 2, says: /no map/ },
  { args: 'a', status: 1, says: /neither --element nor --pkg-map/ },
  { args: '--element e --distro= a', status: 1, says: /no distribution/ },
  { args: '--element e --bogus a', status: 2, says: /unknown option '--bogus'/ },
];

for (const { args, status, says } of FAILURES) {
  test(`pkg-map ${args} ends with status ${status}`, async () => {
    const result = await pkgMap(...args.split(' '));
    assert.equal(result.status, status);
    assert.match(result.stderr, says);
  });
}

test('the JSON of a pkg-map reaches the image unchanged', async () => {
  const text = ' {"default": {}}\n';
  await using dir = await withFiles({ 'elements/e/pkg-map': text, 'target/.keep': '' });
  await runHook([script('pkg-map/extra-data.d/10-create-pkg-map-dir')], build(dir, ['e']));
  assert.equal(await readFile(`${dir.root}/target/usr/share/pkg-map/e`, 'utf8'), text);
});

test('a pkg-map that is no JSON is an error with element and file', async () => {
  await using dir = await withFiles({
    'elements/e/pkg-map': '{',
    'elements/f/pkg-map': '{"default": {"a": 1}}',
    'target/.keep': '',
  });
  const { status, stderr } = await runHook(
    [script('pkg-map/extra-data.d/10-create-pkg-map-dir')],
    build(dir, ['e', 'f']),
  );
  assert.equal(status, 1);
  assert.match(
    stderr,
    /element 'e': .*\/e\/pkg-map: .*JSON.*\nelement 'f': .*value of 'a' in 'default'/,
  );
});

const SERVICES = {
  'elements/e/svc-map':
    'ssh-server: {debian: ssh, redhat: sshd, default: openssh}\nown: {ubuntu: other}\n',
};

async function svcMap(distro: string, ...names: readonly string[]): Promise<string> {
  await using dir = await withFiles({ ...SERVICES, 'target/.keep': '', 'hooks/.keep': '' });
  const env = { ...build(dir, ['e']), DISTRO_NAME: distro };
  const hooks = ['10-merge-svc-map-files', '11-copy-svc-map-file'];
  for (const hook of hooks) {
    const { stderr } = await runHook([script(`svc-map/extra-data.d/${hook}`)], env);
    assert.equal(stderr, '');
  }
  const { stdout } = await runHook([script('svc-map/bin/svc-map'), ...names], {
    SVC_MAP_FILE: `${dir.root}/target/usr/share/svc-map/services`,
  });
  return stdout;
}

test('svc-map knows the distribution, its family, the default, and else the name itself', async () => {
  assert.equal(await svcMap('debian', 'ssh-server'), 'ssh\n');
  assert.equal(await svcMap('rocky', 'ssh-server'), 'sshd\n');
  assert.equal(
    await svcMap('opensuse', 'ssh-server', 'own', 'unheard-of'),
    'openssh\nown\nunheard-of\n',
  );
});

test('a service that two elements define is an error that names both', async () => {
  await using dir = await withFiles({
    'elements/e/svc-map': 'ssh: {default: a}',
    'elements/f/svc-map': 'ssh: {default: b}',
  });
  const { status, stderr } = await runHook(
    [script('svc-map/extra-data.d/10-merge-svc-map-files')],
    build(dir, ['e', 'f']),
  );
  assert.equal(status, 1);
  assert.match(stderr, /service 'ssh' is defined by two elements: 'e' and 'f'/);
});
