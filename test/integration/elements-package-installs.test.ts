/** package-installs: elements' lists become one transaction per phase. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type HookResult, ROOT, runHook, withFiles } from '../rig/run-hook.ts';

const SQUASH = path.join(ROOT, 'elements/package-installs/extra-data.d/99-squash-package-install');
const INSTALL = path.join(ROOT, 'elements/package-installs/bin/package-installs-v2');

interface Squashed {
  readonly result: HookResult;
  readonly phases: unknown;
}

/** Squashes one package-installs.yaml per element, in the order in which they are given. */
async function squash(
  yaml: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Squashed> {
  const names = Object.keys(yaml);
  await using dir = await withFiles({
    'target/tmp/.keep': '',
    ...Object.fromEntries(
      names.map((name) => [`elements/${name}/package-installs.yaml`, yaml[name] ?? '']),
    ),
  });
  const result = await runHook([SQUASH], {
    ARCH: 'amd64',
    DIB_DEFAULT_INSTALLTYPE: 'source',
    IMAGE_ELEMENT: names.join(' '),
    IMAGE_ELEMENT_YAML: `{${names.map((name) => `${name}: ${dir.root}/elements/${name}`).join(', ')}}`,
    TMP_MOUNT_PATH: `${dir.root}/target`,
    ...env,
  });
  if (result.status !== 0) return { result, phases: undefined };
  const json = await readFile(`${dir.root}/target/tmp/package-installs.json`, 'utf8');
  return { result, phases: JSON.parse(json) };
}

const install = (...names: string[]): unknown => ({
  'install.d': { install: names.map((name) => [name, 'e']), uninstall: [] },
});

const CASES: readonly {
  readonly claim: string;
  readonly yaml: string;
  readonly phases: unknown;
  readonly env?: Record<string, string>;
}[] = [
  { claim: 'a package alone goes to install.d', yaml: 'curl:', phases: install('curl') },
  { claim: 'an empty file asks for nothing', yaml: '', phases: {} },
  {
    claim: 'packages keep the order of the file',
    yaml: 'zsh:\nbash:\ncurl:',
    phases: install('zsh', 'bash', 'curl'),
  },
  {
    claim: 'a phase is taken over',
    yaml: 'curl: {phase: pre-install.d}',
    phases: { 'pre-install.d': { install: [['curl', 'e']], uninstall: [] } },
  },
  {
    claim: 'uninstall removes',
    yaml: 'curl: {uninstall: true}',
    phases: { 'install.d': { install: [], uninstall: [['curl', 'e']] } },
  },
  {
    claim: 'uninstall: false installs',
    yaml: 'curl: {uninstall: false}',
    phases: install('curl'),
  },
  {
    claim: 'uninstall with nothing behind it removes',
    yaml: 'curl: {uninstall: }',
    phases: { 'install.d': { install: [], uninstall: [['curl', 'e']] } },
  },
  { claim: 'an empty list of parameters says nothing', yaml: 'curl: []', phases: install('curl') },
  {
    claim: 'build-only installs and removes',
    yaml: 'gcc: {build-only: true}',
    phases: { 'install.d': { install: [['gcc', 'e']], uninstall: [['gcc', 'e']] } },
  },
  {
    claim: 'a list counts entry by entry',
    yaml: 'a: [{phase: pre-install.d}, {arch: arm64}, {arch: amd64}]',
    phases: {
      'pre-install.d': { install: [['a', 'e']], uninstall: [] },
      'install.d': { install: [['a', 'e']], uninstall: [] },
    },
  },
  {
    claim: 'blanks around architectures do not matter',
    yaml: 'a: {arch: "arm64, amd64"}\nb: {arch: arm64}\nc: {not-arch: "arm64 , amd64"}\nd: {not-arch: arm64}',
    phases: install('a', 'd'),
  },
  {
    claim: "an element's own installation type wins over the default one",
    yaml: 'a: {installtype: package}\nb: {installtype: source}',
    env: { DIB_INSTALLTYPE_e: 'package' },
    phases: install('a'),
  },
  {
    claim: 'the default installation type selects',
    yaml: 'a: {installtype: package}\nb: {installtype: source}',
    phases: install('b'),
  },
  {
    claim: 'the version of Python selects, as a number too',
    yaml: 'a: {dib_python_version: 2}\nb: {dib_python_version: 3}',
    env: { DIB_PYTHON_VERSION: '3' },
    phases: install('b'),
  },
  {
    claim: 'without a version of Python none matches',
    yaml: 'a: {dib_python_version: 3}',
    phases: {},
  },
  {
    claim: 'conditions compare with blanks, without, and with ==',
    yaml: 'a: {when: X = 1}\nb: {when: X=1}\nc: {when: X != 1}\nd: {when: X == 1}\ne: {when: X!=2}',
    env: { X: '1' },
    phases: install('a', 'b', 'd', 'e'),
  },
  {
    claim: 'all conditions of a list have to hold',
    yaml: 'a: {when: [X = 1, Y = 2]}\nb: {when: [X = 1, Y = 3]}',
    env: { X: '1', Y: '2' },
    phases: install('a'),
  },
  {
    claim: 'what is installed on purpose is not removed by an earlier entry',
    yaml: 'a: [{uninstall: true}, {}]',
    phases: install('a'),
  },
  {
    claim: 'what is installed on purpose is not removed by a later entry',
    yaml: 'a: [{}, {uninstall: true}]',
    phases: install('a'),
  },
  {
    claim: 'an entry that does not apply cancels nothing',
    yaml: 'a: [{uninstall: true}, {arch: arm64}]',
    phases: { 'install.d': { install: [], uninstall: [['a', 'e']] } },
  },
];

for (const { claim, yaml, phases, env } of CASES) {
  test(`squash: ${claim}`, async () => {
    const squashed = await squash({ e: yaml }, env);
    assert.equal(squashed.result.stderr, '');
    assert.deepEqual(squashed.phases, phases);
  });
}

test('squash: elements come in their order, and an install wins over what others remove', async () => {
  const { phases } = await squash({
    zeta: 'curl: {build-only: true}\nless:',
    alpha: 'curl:\nless: {uninstall: true}',
  });
  assert.deepEqual(phases, {
    'install.d': {
      install: [
        ['curl', 'zeta'],
        ['less', 'zeta'],
        ['curl', 'alpha'],
      ],
      uninstall: [],
    },
  });
});

/** Each line has ten times the values of the one before. */
const BOMB = [
  'a: &a0 [x]',
  ...[1, 2, 3, 4, 5, 6, 7, 8].map(
    (n) =>
      `b${n}: &a${n} [${Array(10)
        .fill(`*a${n - 1}`)
        .join(', ')}]`,
  ),
].join('\n');

const WRONG: readonly { readonly yaml: string; readonly says: RegExp }[] = [
  { yaml: BOMB, says: /alias/i },
  { yaml: 'a: {when: X ~ 1}', says: /package 'a': Malformed when line: <X ~ 1>/ },
  { yaml: 'a: {when: NOWHERE = 1}', says: /package 'a': 'when' tests NOWHERE, which is not set/ },
  { yaml: 'a: {arch: amd64, not-arch: arm64}', says: /'arch' and 'not-arch' exclude each other/ },
  { yaml: '- a\n- b', says: /a map of packages is expected/ },
  { yaml: 'a: [b, c]', says: /package 'a': a map of parameters is expected/ },
  { yaml: 'a: {phase: [', says: /line 1/ },
];

for (const { yaml, says } of WRONG) {
  test(`squash names element and file of the error in ${JSON.stringify(yaml).slice(0, 60)}`, async () => {
    const { result } = await squash({ good: 'curl:', bad: yaml });
    assert.equal(result.status, 1);
    assert.match(result.stderr, /element 'bad': .*\/bad\/package-installs\.yaml: /);
    assert.match(result.stderr, says);
  });
}

test('squash reports the errors of all elements together', async () => {
  const { result } = await squash({ one: '- a', two: '- b' });
  assert.match(result.stderr, /element 'one'.*\n.*element 'two'/);
});

const LIST = [
  'install.d\tinstall\tcurl\tone',
  'install.d\tinstall\tssl\ttwo',
  'install.d\tinstall\tcurl\ttwo',
  'install.d\tuninstall\tgcc\tone',
  'pre-install.d\tinstall\tless\tone',
].join('\n');

/** Fakes that write down how they are called. */
const FAKES = {
  'bin/pkg-map': '#!/bin/sh\nshift 3\nfor name; do echo "$name" | sed s/^ssl$/openssl/; done\n',
  'bin/install-packages': '#!/bin/sh\necho "called: $*"\n[ "$1" != broken ]\n',
};

async function packageInstalls(
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<HookResult> {
  await using dir = await withFiles({ ...FAKES, 'p.tsv': `${LIST}\n`, ...files });
  return await runHook(
    [INSTALL, ...args, `${dir.root}/p.json`],
    { DIB_HOOKS: `${dir.root}/hooks` },
    `${dir.root}/bin`,
  );
}

test('package-installs-v2 maps names per element and installs each once, in one call', async () => {
  const { stdout, stderr } = await packageInstalls(['--phase', 'install.d']);
  assert.equal(stdout, '> called: curl openssl\n');
  assert.equal(stderr, 'Map install for one: curl\nMap install for two: ssl, curl\n');
});

test('package-installs-v2 --uninstall erases', async () => {
  const { stdout } = await packageInstalls(['--phase', 'install.d', '--uninstall']);
  assert.equal(stdout, '> called: -e gcc\n');
});

test('package-installs-v2 has nothing to do in a phase without packages', async () => {
  const { status, stdout } = await packageInstalls(['--phase', 'post-install.d']);
  assert.deepEqual([status, stdout], [0, 'Nothing to install\n']);
});

test('package-installs-v2 reads the older text files, whose dash means removal', async () => {
  const files = {
    'hooks/install.d/package-installs-old': '# tools\ntree  # for people\n-gcc-12\n',
  };
  const added = await packageInstalls(['--phase', 'install.d'], files);
  assert.equal(added.stdout, '> called: curl openssl tree\n');
  const removed = await packageInstalls(['--phase', 'install.d', '--uninstall'], files);
  assert.equal(removed.stdout, '> called: -e gcc gcc-12\n');
});

test('package-installs-v2 fails when the packages cannot be installed', async () => {
  const files = { 'p.tsv': 'install.d\tinstall\tbroken\tone\n' };
  const { status } = await packageInstalls(['--phase', 'install.d'], files);
  assert.notEqual(status, 0);
});
