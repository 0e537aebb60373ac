/** The hooks of the element migration-update, each by itself. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { RELEASES, repoFile } from '../rig/openeuler-mirror/generate/release.ts';
import { type HookResult, ROOT, runHook, withFiles } from '../rig/run-hook.ts';
import { serve } from '../rig/small-server.ts';

const ELEMENT = path.join(ROOT, 'elements/migration-update');
const hookFile = (name: string): string => path.join(ELEMENT, name);

/** What environment.d makes of some variables. */
async function defaults(env: Readonly<Record<string, string>>): Promise<Map<string, string>> {
  const file = hookFile('environment.d/09-migration-update.bash');
  const script = `set -eu; . ${file}; env -0`;
  const { status, stdout, stderr } = await runHook(['bash', '-c', script], env);
  assert.equal(status, 0, stderr);
  return new Map(
    stdout.split('\0').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
}

test('every default is a variable, and the README and the container file have the same ones', async () => {
  const found = await defaults({});
  assert.equal(found.get('DIB_RELEASE'), '22.03-LTS');
  assert.equal(found.get('DIB_MIGRATION_MIRROR'), 'https://mirrors.nju.edu.cn/openeuler');
  const readme = await readFile(hookFile('README.rst'), 'utf8');
  const container = await readFile(hookFile('container.d/10-migration-update.yaml'), 'utf8');
  for (const [name, value] of found) {
    if (name.startsWith('DIB_MIGRATION_')) {
      assert.ok(readme.includes(`\`\`${name}\`\``), `the README has no ${name}`);
      const same = value === '' || readme.includes(`\`\`${value}\`\``);
      assert.ok(same || name === 'DIB_MIGRATION_MIRROR', `the README has another ${name}`);
    }
  }
  for (const [, name = '', value] of container.matchAll(/\$\{(DIB_\w+):-([^}]*)\}/g)) {
    assert.equal(found.get(name), value, name);
  }
});

test('what the user says counts, an empty list of gems included', async () => {
  const found = await defaults({
    DIB_DISTRIBUTION_MIRROR: 'http://own/openeuler',
    DIB_MIGRATION_GEMS: '',
    DIB_RELEASE: '24.03-LTS',
  });
  assert.equal(found.get('DIB_MIGRATION_MIRROR'), 'http://own/openeuler');
  assert.equal(found.get('DIB_MIGRATION_GEMS'), '');
  assert.equal(found.get('DIB_RELEASE'), '24.03-LTS');
});

test('the repositories of the image name the mirror, and nothing else', async () => {
  // The newest release: its file has links to other mirrors, and times.
  const original = RELEASES.map(repoFile).at(-1) ?? '';
  assert.match(original, /^metalink=/m);
  await using target = await withFiles({ 'etc/yum.repos.d/openEuler.repo': original });
  const mirror = 'https://mirror.example/a|b&c';
  const result = await runHook([hookFile('cleanup.d/96-migration-update-repositories')], {
    TARGET_ROOT: target.root,
    DIB_MIGRATION_MIRROR: `${mirror}/`,
  });
  assert.equal(result.status, 0, result.stderr);
  const expected = original
    .split('\n')
    .filter((line) => !/^(metalink|metadata_expire)=/.test(line))
    .map((line) => line.replace(/https?:\/\/[^/]+/, () => mirror));
  assert.equal(
    await readFile(path.join(target.root, 'etc/yum.repos.d/openEuler.repo'), 'utf8'),
    expected.join('\n'),
  );
});

/** An archive as Node publishes them, with a program that says which it is. */
async function nodeArchive(root: string, member: string): Promise<Buffer> {
  const directory = path.join(root, 'archive');
  const file = path.join(directory, member);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, '#!/bin/sh\necho v12.0.0\n', { mode: 0o755 });
  return execFileSync('tar', ['-C', directory, '-cJ', '.']);
}

interface Bring {
  readonly member: string;
  readonly sha256?: string;
}

/** Runs the hook that brings the service, with a Node of the user's. */
async function bring(root: string, { member, sha256 }: Bring): Promise<HookResult> {
  const body = await nodeArchive(root, member);
  await using server = await serve(() => ({ status: 200, body }));
  for (const name of ['target', 'build', 'cache']) {
    await mkdir(path.join(root, name), { recursive: true });
  }
  return await runHook([hookFile('extra-data.d/50-migration-update-service')], {
    TMP_MOUNT_PATH: path.join(root, 'target'),
    TMP_BUILD_DIR: path.join(root, 'build'),
    DIB_IMAGE_CACHE: path.join(root, 'cache'),
    DIB_LOCKFILES: path.join(root, 'cache'),
    DIB_MIGRATION_NODE_URL: `${server.url}/v12/node-v12.0.0-linux-x64.tar.xz`,
    DIB_MIGRATION_NODE_SHA256: sha256 ?? createHash('sha256').update(body).digest('hex'),
  });
}

test("a Node of the user's is verified, and goes into the image without its package manager", async () => {
  await using dir = await withFiles({});
  const result = await bring(dir.root, { member: 'node-v12.0.0-linux-x64/bin/node' });
  assert.equal(result.status, 0, result.stderr);
  const node = path.join(dir.root, 'target/usr/local/bin/node');
  assert.equal(execFileSync(node, { encoding: 'utf8' }), 'v12.0.0\n');
  const service = path.join(dir.root, 'target/usr/local/lib/migration-update/migration-update.cjs');
  assert.equal((await stat(service)).mode & 0o777, 0o755);
  assert.deepEqual(await readdir(path.join(dir.root, 'build')), []);
});

const REFUSED: readonly (readonly [string, Bring, number, RegExp])[] = [
  [
    'another checksum',
    { member: 'node-v12/bin/node', sha256: '0'.repeat(64) },
    4,
    /node-v12\.0\.0-linux-x64\.tar\.xz/,
  ],
  ['no checksum', { member: 'node-v12/bin/node', sha256: '' }, 1, /set DIB_MIGRATION_NODE_SHA256/],
  ['no Node in it', { member: 'deno/bin/deno' }, 1, /it has no DIRECTORY\/bin\/node/],
];
for (const [what, request, status, message] of REFUSED) {
  test(`an archive of Node with ${what} is refused`, async () => {
    await using dir = await withFiles({});
    const result = await bring(dir.root, request);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, message);
    await assert.rejects(stat(path.join(dir.root, 'target/usr/local/bin/node')));
  });
}
