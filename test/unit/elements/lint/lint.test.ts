import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LintFile } from '../../../../src/elements/lint/finding.ts';
import { lintElement } from '../../../../src/elements/lint/lint-element.ts';

const HEAD = `#!/bin/bash
if [ "\${DIB_DEBUG_TRACE:-0}" -gt 0 ]; then
    set -x
fi
set -eu
set -o pipefail
`;
const RULES = {
  hookDirectories: ['root.d', 'install.d', 'post-install.d', 'cleanup.d'],
  comesWith: new Set(['x', 'declared', 'pkg-map']),
};

interface Given {
  readonly text?: string;
  readonly executable?: boolean;
}

/** `path:line [check]` of what is found in an element that has these files and a README. */
function findings(files: Readonly<Record<string, Given>>): readonly string[] {
  const given: Readonly<Record<string, Given>> = { 'README.rst': { text: 'x\n' }, ...files };
  const all: LintFile[] = Object.entries(given).map(
    ([path, { text = '', executable = false }]) => ({ path, text, executable }),
  );
  return lintElement({ name: 'x', files: all }, RULES).map(
    ({ path, line, check }) => `${path}${line === undefined ? '' : `:${line}`} [${check}]`,
  );
}

/** What is found in one hook, without its path. */
function inHook(text: string, path = 'install.d/50-x'): readonly string[] {
  return findings({ [path]: { text, executable: true } }).map((each) => each.replace(path, ''));
}

test('a hook as it should be has no findings', () => {
  assert.deepEqual(inHook(`${HEAD}echo "$X"\n`), []);
});

const HOOKS: readonly (readonly [string, readonly string[], string?])[] = [
  ['#!/bin/bash\necho\n', [' [sete]', ' [setu]', ' [setpipefail]', ' [dibdebugtrace]']],
  ['#!/bin/sh\necho\n', []],
  ['#!/usr/bin/env bash\necho\n', [':1 [bashpath]']],
  [`${HEAD}if true; then\n  echo\nfi\n`, [':8 [indent]']],
  [`${HEAD}cat <<END\n  as it is\nEND\necho\n`, []],
  [`${HEAD}cat <<<x\n  echo\n`, [':8 [indent]']],
  [`${HEAD}\techo\n`, [':7 [tabindent]']],
  [`${HEAD}echo`, [' [newline]']],
  [`${HEAD}export X=$(date)\n`, [':7 [export]']],
  [`${HEAD}export X="$(date)"\n`, [':7 [export]']],
  [`${HEAD}export X=$((1 + 1))\n`, []],
  [`${HEAD}which bash\n`, [':7 [which]']],
  [`${HEAD}which bash # dib-lint: which\n`, []],
  [`${HEAD}# dib-lint: disable=which export\nwhich bash\n`, []],
  [`${HEAD}sudo rm -rf /tmp/x\n`, [], 'install.d/50-x'],
  [`${HEAD}sudo rm -rf /tmp/x\n`, [':7 [safe_sudo]'], 'root.d/50-x'],
  [`${HEAD}sudo rm -rf "$TARGET_ROOT/x"\n`, [], 'root.d/50-x'],
  [`${HEAD}sudo rm -rf x # dib-lint: safe_sudo\n`, [], 'root.d/50-x'],
  [`${HEAD}packages=(a sudo b)\n`, [], 'root.d/50-x'],
  [`${HEAD}curl -O http://h/f\n`, [':7 [network]'], 'root.d/50-x'],
  [`${HEAD}curl -O http://h/f\n`, [], 'install.d/50-x'],
  [`${HEAD}echo\n`, [' [neverrun]'], 'install.d/50-x.sh'],
  ['#!/usr/bin/env zx\nif (x) {\n  y();\n}\n', []],
];

for (const [text, expected, path] of HOOKS) {
  const shown = JSON.stringify(text.replace(HEAD, ''));
  test(`${path ?? 'a hook'} with ${shown}: ${expected.join(' ')}`, () =>
    assert.deepEqual(inHook(text, path), expected));
}

const ELEMENTS: readonly (readonly [string, Readonly<Record<string, Given>>, readonly string[]])[] =
  [
    [
      'a script that is not executable',
      { 'install.d/5-x': { text: '#!/bin/sh\n' } },
      ['install.d/5-x:1 [executable]'],
    ],
    ['a file beside hooks that is no hook', { 'install.d/notes.txt': { text: 'x' } }, []],
    [
      'a hook that can never run',
      { 'install.d/5-x': { text: 'echo\n' } },
      ['install.d/5-x [neverrun]'],
    ],
    [
      'a directory with a wrong name',
      { 'postinstall.d/5-x': { text: '' } },
      ['postinstall.d [neverrun]'],
    ],
    ['a directory without its ending', { 'install/5-x': { text: '' } }, ['install [neverrun]']],
    [
      'directories that others read',
      { 'modprobe.d/a': {}, 'environment.d/a': {} },
      ['modprobe.d/a [undeclared]'],
    ],
    [
      'dependencies out of order',
      { 'element-deps': { text: 'b\na\n' } },
      ['element-deps:1 [depsorder]'],
    ],
    ['dependencies in order', { 'element-deps': { text: '# why\na\n\nb\n' } }, []],
    ['YAML that does not parse', { 'a.yaml': { text: 'a: [\n' } }, ['a.yaml:2 [yaml]']],
    ['a pkg-map that is no JSON', { 'pkg-map': { text: '{' } }, ['pkg-map [pkgmap]']],
    [
      'what an element that is not there reads',
      { 'svc-map': { text: 'a: b\n' } },
      ['svc-map [undeclared]'],
    ],
    [
      'an executable environment file',
      {
        'environment.d/5-x': { text: 'set -e\nX=1\n', executable: true },
      },
      ['environment.d/5-x [environment]', 'environment.d/5-x:1 [environment]'],
    ],
    ['Markdown', { 'notes.md': { text: 'x\n' } }, ['notes.md [mddocs]']],
  ];

for (const [what, files, expected] of ELEMENTS) {
  test(`${what}: ${expected.join(' ')}`, () => assert.deepEqual(findings(files), expected));
}

test('an element without a README has that finding', () => {
  const found = lintElement({ name: 'x', files: [] }, RULES);
  assert.deepEqual(
    found.map(({ check }) => check),
    ['readme'],
  );
});

/** What every finding says, in words. */
const SENTENCES: readonly (readonly [
  files: Readonly<Record<string, Given>>,
  check: string,
  says: RegExp,
])[] = [
  [hookOf('#!/bin/sh\n', false), 'executable', /^It starts with #! and is not executable$/],
  [hookOf(`${HEAD}if true; then\n  echo\nfi\n`), 'indent', /else than a multiple of 4 spaces$/],
  [hookOf('#!/usr/bin/bash\necho\n'), 'bashpath', /must be #!\/bin\/bash$/],
  [hookOf('#!/bin/bash\necho\n'), 'sete', /^No line has set -e$/],
  [hookOf('#!/bin/bash\necho\n'), 'setu', /^No line has set -u$/],
  [hookOf('#!/bin/bash\necho\n'), 'setpipefail', /^No line has set -o pipefail$/],
  [hookOf('#!/bin/bash\necho\n'), 'dibdebugtrace', /DIB_DEBUG_TRACE: if it is above 0, set -x$/],
  [hookOf(`${HEAD}export X=$(date)\n`), 'export', /hides that the command failed: X=\$\(\.\.\.\)/],
  [hookOf(`${HEAD}which bash\n`), 'which', /^Use "command -v", which every shell has$/],
  [hookOf(`${HEAD}\techo\n`), 'tabindent', /^Indented by a tab$/],
  [hookOf(`${HEAD}echo`), 'newline', /^No newline at the end$/],
  [
    hookOf(`${HEAD}sudo rm x\n`, true, 'root.d/5-x'),
    'safe_sudo',
    /must name what it works on \(TARGET_ROOT/,
  ],
  [hookOf(`${HEAD}curl http://h/f\n`, true, 'root.d/5-x'), 'network', /cache|dib-fetch/],
  [
    hookOf(HEAD, true, 'install.d/5-x.sh'),
    'neverrun',
    /only letters, digits, _ and - in its name$/,
  ],
  [
    { 'install.d/5-x': { text: 'echo\n' } },
    'neverrun',
    /it is not executable, and has no #! line$/,
  ],
  [
    { 'postinstall.d/5-x': {} },
    'neverrun',
    /in 'postinstall\.d': did you mean 'post-install\.d'\?$/,
  ],
  [
    { 'environment.d/5-x': { text: 'set -e\n' } },
    'environment',
    /^An option of the shell that is set here holds for every hook$/,
  ],
  [
    { 'environment.d/5-x': { executable: true } },
    'environment',
    /^A file of environment\.d must not be executable$/,
  ],
  [
    { 'svc-map': { text: 'a: b\n' } },
    'undeclared',
    /^Uses .*, but 'svc-map' is not among its element-/,
  ],
  [
    { 'element-deps': { text: 'b\na\n' } },
    'depsorder',
    /^Not sorted: 'b' stands where 'a' belongs$/,
  ],
  [{ 'notes.md': {} }, 'mddocs', /^Documentation is reStructuredText here: a \.rst file$/],
  [{ 'pkg-map': { text: '{' } }, 'pkgmap', /^No JSON: /],
  [{ 'a.yaml': { text: 'a: [\n' } }, 'yaml', /end with a \]$/],
];

function hookOf(
  text: string,
  executable = true,
  path = 'install.d/5-x',
): Readonly<Record<string, Given>> {
  return { [path]: { text, executable } };
}

test('every finding is said in words', () => {
  for (const [files, check, says] of SENTENCES) {
    const all = Object.entries(files).map(([path, { text = '', executable = false }]) => ({
      path,
      text,
      executable,
    }));
    const found = lintElement({ name: 'x', files: all }, RULES).filter(
      (one) => one.check === check,
    );
    assert.match(found.map(({ message }) => message).join('\n'), says, check);
  }
  const [readme] = lintElement({ name: 'x', files: [] }, RULES);
  assert.match(readme?.message ?? '', /^An element needs a README\.rst that says what it is for$/);
});
