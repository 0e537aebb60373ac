/** Hooks of the elements for openEuler, each by itself. That they make a machine is another test's claim. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook, withFiles } from '../rig/run-hook.ts';
import { openTarget } from '../rig/target-root.ts';

const OWN = '[OS]\nbaseurl=http://own.example/\n';
const BUILD = '[OS]\nbaseurl=http://127.0.0.1:1/\n';
const REPOSITORIES = 'etc/yum.repos.d/openEuler.repo';

const RESTORED: readonly {
  readonly claim: string;
  readonly keep: '0' | '1';
  readonly files: Readonly<Record<string, string>>;
  readonly left: string;
}[] = [
  {
    claim: "the image gets its package's repositories back",
    keep: '0',
    files: { [REPOSITORIES]: BUILD, [`${REPOSITORIES}.dib`]: OWN },
    left: OWN,
  },
  {
    claim: 'in the state of the update, when their package was updated meanwhile',
    keep: '0',
    files: {
      [REPOSITORIES]: BUILD,
      [`${REPOSITORIES}.dib`]: OWN,
      [`${REPOSITORIES}.rpmnew`]: `${OWN}new`,
    },
    left: `${OWN}new`,
  },
  {
    claim: 'unless it is to keep those of the build',
    keep: '1',
    files: { [REPOSITORIES]: BUILD, [`${REPOSITORIES}.dib`]: OWN },
    left: BUILD,
  },
];

for (const { claim, keep, files, left } of RESTORED) {
  test(claim, async () => {
    await using target = await withFiles(files);
    const hook = path.join(ROOT, 'elements/openeuler-common/cleanup.d/95-openeuler-repositories');
    const env = { TARGET_ROOT: target.root, DIB_OPENEULER_KEEP_MIRROR: keep };
    const { status, stderr } = await runHook([hook], env);
    assert.equal(status, 0, stderr);
    assert.deepEqual(await readdir(path.join(target.root, 'etc/yum.repos.d')), ['openEuler.repo']);
    assert.equal(await readFile(path.join(target.root, REPOSITORIES), 'utf8'), left);
  });
}

test('what dnf and rpm left behind is removed, and what the system needs of them is not', async () => {
  await using target = await withFiles({
    'var/cache/dnf/OS-0/packages/a.rpm': 'x',
    'var/cache/ldconfig/aux-cache': 'x',
    'var/lib/dnf/history.sqlite': 'x',
    'var/lib/dnf/history.sqlite-wal': 'x',
    'var/log/dnf.log': 'x',
    'var/log/dnf.librepo.log': 'x',
    'var/log/hawkey.log': '',
    'var/log/messages': '',
    'var/lib/rpm/rpmdb.sqlite': 'x',
    'var/lib/rpm/rpmdb.sqlite-shm': 'x',
    'var/lib/rpm/rpmdb.sqlite-wal': '',
    'root/.rpmdb/rpmdb.sqlite': 'x',
  });
  const hook = path.join(ROOT, 'elements/yum/cleanup.d/99-clean-up-yum-cache');
  const { status, stderr } = await runHook([hook], { TARGET_ROOT: target.root });
  assert.equal(status, 0, stderr);
  const left = await readdir(target.root, { recursive: true, withFileTypes: true });
  assert.deepEqual(
    left
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(target.root, path.join(entry.parentPath, entry.name)))
      .sort(),
    ['var/lib/rpm/rpmdb.sqlite', 'var/log/messages'],
  );
  assert.ok((await stat(path.join(target.root, 'var/lib/dnf'))).isDirectory());
});

test('a database of rpm that is not written out keeps what is beside it', async () => {
  const files = { 'var/lib/rpm/rpmdb.sqlite-shm': 'x', 'var/lib/rpm/rpmdb.sqlite-wal': 'pages' };
  await using target = await withFiles(files);
  const hook = path.join(ROOT, 'elements/yum/cleanup.d/99-clean-up-yum-cache');
  await runHook([hook], { TARGET_ROOT: target.root });
  assert.equal((await readdir(path.join(target.root, 'var/lib/rpm'))).length, 2);
});

const LOCALES: readonly {
  readonly claim: string;
  readonly has: string;
  readonly asked?: string;
  readonly keymap?: string;
  readonly files: readonly [locale: string, console: string];
}[] = [
  {
    claim: 'English where the image has it',
    has: 'C\nPOSIX\nen_US.utf8',
    files: ['LANG=en_US.UTF-8\n', 'KEYMAP=us\n'],
  },
  {
    claim: 'no language where it has none',
    has: 'C\nC.utf8\nPOSIX',
    files: ['LANG=C.UTF-8\n', 'KEYMAP=us\n'],
  },
  {
    claim: 'the language and keyboard that are asked for',
    has: 'C\nen_US.utf8',
    asked: 'zh_CN.UTF-8',
    keymap: 'de-nodeadkeys',
    files: ['LANG=zh_CN.UTF-8\n', 'KEYMAP=de-nodeadkeys\n'],
  },
];
for (const { claim, has, asked = '', keymap = 'us', files } of LOCALES) {
  test(`a machine has ${claim}`, async () => {
    await using target = await openTarget({}, { locale: `printf '%s\\n' '${has}'` });
    const env = { DIB_OPENEULER_LOCALE: asked, DIB_OPENEULER_KEYMAP: keymap };
    await target.hook('openeuler-common/install.d/12-openeuler-locale', env);
    const written = [await target.read('etc/locale.conf'), await target.read('etc/vconsole.conf')];
    assert.deepEqual(written, files);
  });
}

test('shells do not end when idle, clocks show UTC, and nothing else changes', async () => {
  const bashrc = '# system\nexport TMOUT=300\nalias TMOUT=300x\nTMOUT=60\n';
  await using target = await openTarget({
    'etc/bashrc': bashrc,
    'etc/EulerLinux.conf': 'eulerversion=x\n',
  });
  await target.hook('openeuler-common/pre-install.d/20-openeuler-container-leftovers');
  assert.equal(await target.read('etc/bashrc'), '# system\nalias TMOUT=300x\n');
  assert.deepEqual(await target.files('etc'), ['bashrc', 'localtime']);
});
