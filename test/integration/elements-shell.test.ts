/** What holds for every script of every built-in element and of the implicit one. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../rig/run-hook.ts';

const PHASE =
  /^(root|extra-data|pre-install|install|post-install|post-root|block-device|pre-finalise|finalise|cleanup)\.d$/;
const HOOK_NAME = /^[0-9A-Za-z_-]+$/;

const FILES = ['elements', 'hooks'].flatMap((folder) =>
  readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name))),
);
const ELEMENTS = readdirSync(path.join(ROOT, 'elements'));

const text = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const isExecutable = (file: string): boolean =>
  (statSync(path.join(ROOT, file)).mode & 0o111) !== 0;
const folderOf = (file: string): string => path.basename(path.dirname(file));
const isEnvironment = (file: string): boolean => folderOf(file) === 'environment.d';

/** The shell that reads a file, or nothing when none does. */
function shellOf(file: string): 'bash' | 'sh' | undefined {
  if (file.endsWith('.bash') || isEnvironment(file)) return 'bash';
  const [, shell] = /^#!\/bin\/(bash|sh)\b/.exec(text(file)) ?? [];
  return shell as 'bash' | 'sh' | undefined;
}

const SCRIPTS = FILES.filter((file) => shellOf(file) !== undefined);
const HOOKS = FILES.filter(
  (file) => PHASE.test(folderOf(file)) && HOOK_NAME.test(path.basename(file)),
);

test('there are scripts to check', () => {
  assert.ok(SCRIPTS.length > 50, `only ${SCRIPTS.length} scripts found`);
  assert.ok(HOOKS.length > 40, `only ${HOOKS.length} hooks found`);
});

test('shellcheck finds nothing in any script', () => {
  const check = (shell: string): string =>
    spawnSync(
      'shellcheck',
      ['-x', '-P', ROOT, '-s', shell, ...SCRIPTS.filter((file) => shellOf(file) === shell)],
      { cwd: ROOT, encoding: 'utf8' },
    ).stdout;
  assert.equal(check('bash') + check('sh'), '');
});

test('every script parses in the shell that runs it', () => {
  for (const file of SCRIPTS) {
    execFileSync(shellOf(file) ?? '', ['-n', file], { cwd: ROOT });
  }
});

test('hooks are executable and start with #!', () => {
  const wrong = HOOKS.filter((file) => !isExecutable(file) || !text(file).startsWith('#!'));
  assert.deepEqual(wrong, []);
});

test('what hooks on the host put aside lies where it is removed when the build is killed', () => {
  const onHost = HOOKS.filter((file) =>
    /^(root|extra-data|block-device|cleanup)\.d$/.test(folderOf(file)),
  );
  assert.ok(onHost.some((file) => text(file).includes('$(mktemp ')));
  // Without one of the engine's directories it lies in TMPDIR.
  const wrong = onHost.filter((file) =>
    /\$\(mktemp (?!(-d )?"\$T(MP_|ARGET_ROOT))|\$\(mktemp\)/.test(text(file)),
  );
  assert.deepEqual(wrong, []);
});

test('git too knows hooks as executable', () => {
  const lines = execFileSync('git', ['ls-files', '--stage', 'elements', 'hooks'], { cwd: ROOT })
    .toString()
    .split('\n');
  const plain = new Set(
    lines.filter((line) => line.startsWith('100644')).map((line) => line.split('\t')[1]),
  );
  assert.deepEqual(
    HOOKS.filter((file) => plain.has(file)),
    [],
  );
});

test('files in environment.d are sourced: not executable, not traced', () => {
  const wrong = FILES.filter(isEnvironment).filter(
    (file) => isExecutable(file) || /set -\w*x/.test(text(file)),
  );
  assert.deepEqual(wrong, []);
});

test('bash scripts that run during a build can be traced and stop at the first error', () => {
  const wrong = SCRIPTS.filter((file) => /^elements\/(?!.*\/static\/)/.test(file))
    .filter((file) => text(file).startsWith('#!/bin/bash\n'))
    .filter((file) =>
      [/DIB_DEBUG_TRACE/, /^set -eu$/m, /^set -o pipefail$/m].some(
        (idiom) => !idiom.test(text(file)),
      ),
    );
  assert.deepEqual(wrong, []);
});

test('every element says in a README what it is', () => {
  const wrong = ELEMENTS.filter(
    (name) => !existsSync(path.join(ROOT, 'elements', name, 'README.rst')),
  );
  assert.deepEqual(wrong, []);
});

test('element-deps is sorted and names built-in elements', () => {
  const provided = new Set(
    FILES.filter((file) => file.endsWith('/element-provides')).flatMap((file) =>
      text(file).split('\n'),
    ),
  );
  for (const file of FILES.filter((name) => name.endsWith('/element-deps'))) {
    const names = text(file).trimEnd().split('\n');
    assert.deepEqual(names, [...names].sort(), file);
    for (const name of names) {
      assert.ok(ELEMENTS.includes(name) || provided.has(name), `${file}: '${name}' does not exist`);
    }
  }
});

test('no two elements have a hook of the same name in one phase', () => {
  const places = HOOKS.map((file) => file.split('/').slice(2).join('/')).sort();
  const twice = places.filter((place, index) => place === places[index - 1]);
  assert.deepEqual(twice, []);
});
