/** What elements say of the host that they take something from. */
import assert from 'node:assert/strict';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';

/** States by name. */
async function said(
  dir: TestDirectory,
  hook: string,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const file = path.join(ROOT, 'elements', hook);
  const { status, stdout, stderr } = await runHook([file], env, `${dir.root}/bin`);
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => /^(\S+) (.*)$/.exec(line)?.slice(1) ?? [line, '']));
}

test('debootstrap: another bootstrap tool counts, and the keys that it trusts', async () => {
  await using dir = await withFiles({ 'bin/mmdebstrap': '#!/bin/sh\n: one\n' });
  const env = {
    TMP_HOOKS_PATH: path.join(ROOT, 'elements/debootstrap'),
    DISTRO_NAME: 'debian',
    DIB_RELEASE: 'sid',
    DIB_DISTRIBUTION_MIRROR: 'http://127.0.0.1:1/debian',
    DIB_OFFLINE: '1',
  };
  const ask = () => said(dir, 'debootstrap/fingerprint.d/root/08-debootstrap', env);
  const before = await ask();
  assert.ok('file:/usr/share/keyrings/debian-archive-keyring.gpg' in before);
  assert.deepEqual(await ask(), before);
  await writeFile(`${dir.root}/bin/mmdebstrap`, '#!/bin/sh\n: two\n');
  assert.notEqual((await ask())['bootstrap-tool'], before['bootstrap-tool']);
});

test('yum-minimal: another rpm of the host counts, and the settings that it has there', async () => {
  await using dir = await withFiles({ 'bin/rpm': '#!/bin/sh\necho RPM 1\n' });
  const ask = () => said(dir, 'yum-minimal/fingerprint.d/root/08-yum-chroot', {});
  const before = await ask();
  assert.deepEqual(Object.keys(before).sort(), ['file:/etc/rpm', 'host:rpm']);
  await writeFile(`${dir.root}/bin/rpm`, '#!/bin/sh\necho RPM 2\n');
  assert.notEqual((await ask())['host:rpm'], before['host:rpm']);
});

test('pypi: a mirror that comes, and what comes into it, counts', async () => {
  await using dir = await withFiles({ 'cache/x': '' });
  const env = { DIB_IMAGE_CACHE: `${dir.root}/cache` };
  const ask = async () =>
    (await said(dir, 'pypi/fingerprint.d/extra-data/00-pypi-mirror', env))['host:pypi-mirror'];
  assert.equal(await ask(), 'none');
  const index = `${dir.root}/cache/pypi/mirror/simple/some/index.html`;
  await mkdir(path.dirname(index), { recursive: true });
  await writeFile(index, 'one');
  const first = await ask();
  assert.match(first ?? '', /^[0-9a-f]{64}$/);
  assert.equal(await ask(), first);
  await utimes(index, 1, 1);
  const second = await ask();
  assert.notEqual(second, first);
  await symlink('some', `${dir.root}/cache/pypi/mirror/simple/other`);
  assert.notEqual(await ask(), second);
});
