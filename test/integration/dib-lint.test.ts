import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hook, openRig, text } from '../rig/rig.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('our own elements pass, warnings included', async () => {
  await using rig = await openRig();
  const { status, stdout } = await rig.run('dib-lint', ['--strict', 'elements'], { cwd: ROOT });
  assert.match(stdout, /\d+ elements, \d+ files: 0 errors, 0 warnings\nPASS\n$/);
  assert.equal(status, 0);
});

test('what is wrong is told with file, line and name, and mended where that is mechanical', async () => {
  await using rig = await openRig();
  const element = await rig.element('mine', {
    'README.rst': 'Mine',
    'element-deps': 'b\na\n',
    'install.d/50-x': '#!/usr/bin/env bash\necho $X\nwhich x',
  });
  const before = await rig.run('dib-lint', [element]);
  assert.equal(before.status, 1);
  assert.match(
    before.stdout,
    /ERROR: .*\/mine\/install\.d\/50-x:1: .*not executable \[executable\]/,
  );
  assert.match(before.stdout, /element-deps:1: Not sorted: 'b' stands where 'a' belongs/);
  assert.match(before.stdout, /\*\*\* FAIL: Some tests failed!\n$/);

  const after = await rig.run('dib-lint', ['--fix', '--json', element]);
  assert.equal(after.status, 1);
  const report = JSON.parse(after.stdout) as { findings: { check: string; fixable: boolean }[] };
  assert.deepEqual(
    report.findings.filter(({ fixable }) => fixable),
    [],
  );
  assert.ok(report.findings.some(({ check }) => check === 'which'));
  assert.equal(await text(element, 'element-deps'), 'a\nb\n');
  assert.equal(await text(element, 'README.rst'), 'Mine\n');
  assert.match(await text(element, 'install.d/50-x'), /^#!\/bin\/bash\necho \$X\nwhich x\n$/);
  assert.equal((await stat(path.join(element, 'install.d/50-x'))).mode & 0o777, 0o755);
});

test('elements that do not go together are told so', async () => {
  await using rig = await openRig();
  await rig.element('one', { 'README.rst': 'x\n', 'install.d/50-x': hook('echo') });
  await rig.element('two', { 'README.rst': 'x\n', 'install.d/50-x': hook('echo') });
  const { status, stdout } = await rig.run('dib-lint', [
    ...['--together', 'tiny one two'],
    rig.elements,
  ]);
  assert.equal(status, 1);
  assert.match(stdout, /ERROR: .*'install\.d\/50-x' twice: it is in 'one' and in 'two'/);
  const missing = await rig.run('dib-lint', ['--together', 'tiny onee', rig.elements]);
  assert.match(missing.stdout, /Cannot find the element 'onee'/);
});

test('without a directory there is one sentence', async () => {
  await using rig = await openRig();
  const { status, stderr } = await rig.run('dib-lint', [path.join(rig.dir, 'none')]);
  assert.equal(status, 2);
  assert.match(stderr, /^ERROR: Cannot read '.*none': ENOENT/);
  const none = await rig.run('dib-lint', []);
  assert.match(none.stderr, /There is no directory of elements here/);
});
