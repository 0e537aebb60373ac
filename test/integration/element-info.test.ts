import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../bin/element-info', import.meta.url));

let root = '';

/** Files by path below the temporary directory. */
const FILES = {
  'mine/app/element-deps': 'lib\n',
  'mine/lib/element-deps': 'operating-system\n',
  'mine/os-of-mine/element-provides': 'operating-system\n',
  'other/lib/README': '',
  'tells/app/README.rst': '===\napp\n===\n\nAn ``app``\nof ours.\n\nMore.\n',
  'tells/app/element-deps': 'operating-system\n',
  'tells/app/environment.d/10-app': 'export DIB_APP=${DIB_APP:-"a b"}\n',
  'tells/app/install.d/20-app': '#!/bin/bash\necho "${DIB_APP:-}" "${DIB_MORE:-}"\n',
  'tells/app/package-installs.yaml':
    'curl:\ngcc:\n  - arch: amd64\n    phase: pre-install.d\n  - arch: arm64\n',
  'tells/app/host-tools.yaml': '- tool: [a, b]\n  why: x\n',
  'tells/os-of-mine/element-provides': 'operating-system\n',
  'loops/a/element-deps': 'b\n',
  'loops/b/element-deps': 'a\n',
  'loops/os-of-mine/element-provides': 'operating-system\n',
};

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'element-info-'));
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
});

after(() => rm(root, { recursive: true, force: true }));

interface Printed {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with its input empty and nothing in its environment but ELEMENTS_PATH. */
function run(argv: readonly [string, ...string[]], elementsPath: string): Printed {
  const [file, ...args] = argv;
  return spawnSync(file, args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ELEMENTS_PATH: elementsPath },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const at = (...names: string[]): string => names.map((name) => path.join(root, name)).join(':');

test('element-info prints the elements on one line, dependencies first', () => {
  assert.deepEqual(pick(run([COMMAND, 'app', 'os-of-mine'], at('mine'))), {
    status: 0,
    stdout: 'os-of-mine lib app\n',
    stderr: '',
  });
});

test('element-info orders elements that need each other, as a build does', () => {
  const { status, stdout } = run([COMMAND, 'a', 'os-of-mine'], at('loops'));
  assert.deepEqual([status, stdout], [0, 'os-of-mine b a\n']);
});

test('element-info ignores IMAGE_ELEMENT from the environment', () => {
  const script = `IMAGE_ELEMENT=x exec '${COMMAND}' app os-of-mine`;
  assert.equal(run(['sh', '-c', script], at('mine')).stdout, 'os-of-mine lib app\n');
});

test('element-info warns of an element that overrides another one', () => {
  const { status, stderr } = run([COMMAND, 'app', 'os-of-mine'], at('mine', 'other'));
  assert.equal(status, 0);
  assert.equal(
    stderr,
    `WARNING: Element 'lib': '${at('mine/lib')}' overrides '${at('other/lib')}'\n`,
  );
});

for (const option of ['-e', '--env']) {
  test(`element-info ${option} prints text that bash can source and hooks can use`, () => {
    const script = `source <('${COMMAND}' ${option} app os-of-mine)
      bash -c 'eval declare -A e="($(get_image_element_array))"; echo "\${e[app]}"'
      bash -c 'echo "$IMAGE_ELEMENT"; echo "$IMAGE_ELEMENT_YAML"'`;
    const { status, stdout, stderr } = run(['bash', '-euc', script], at('mine'));
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(stdout.split('\n'), [
      at('mine/app'),
      'os-of-mine lib app',
      `app: ${at('mine/app')}`,
      `lib: ${at('mine/lib')}`,
      `os-of-mine: ${at('mine/os-of-mine')}`,
      '',
      '',
    ]);
  });
}

test('element-info --describe tells what an element does, by itself', () => {
  const printed = run([COMMAND, '--describe', 'app'], at('tells'));
  assert.deepEqual([printed.status, printed.stderr], [0, '']);
  assert.deepEqual(printed.stdout.split('\n'), [
    'app',
    `  ${at('tells/app')}`,
    '  An app of ours.',
    '',
    '  needs:',
    '    operating-system',
    '',
    '  hooks:',
    '    install.d/20-app',
    '',
    '  environment:',
    '    10-app',
    '',
    '  variables:',
    '    DIB_APP (a b)',
    '    DIB_MORE (unset)',
    '',
    '  packages:',
    '    curl',
    '    gcc (arch: amd64, phase: pre-install.d)',
    '    gcc (arch: arm64)',
    '',
    '  needs on the host:',
    '    a or b',
    '',
  ]);
  const [facts] = JSON.parse(run([COMMAND, '--describe', '--json', 'app'], at('tells')).stdout);
  assert.deepEqual(facts.variables[0], {
    name: 'DIB_APP',
    defaults: ['a b'],
    file: 'environment.d/10-app',
  });
});

test('element-info --why and --graph tell who needs whom', () => {
  const elements = ['app', 'os-of-mine'];
  const why = run([COMMAND, '--why', 'operating-system', ...elements], at('tells'));
  assert.equal(
    why.stdout,
    'operating-system is provided by os-of-mine\nos-of-mine was asked for by name\napp -> os-of-mine as operating-system\n',
  );
  assert.equal(
    run([COMMAND, '--graph', ...elements], at('tells')).stdout,
    'app\n└─ os-of-mine as operating-system\nos-of-mine\n',
  );
  assert.match(
    run([COMMAND, '--graph=dot', ...elements], at('tells')).stdout,
    /^digraph elements \{\n[\s\S]* {2}"app" -> "os-of-mine" \[label="operating-system"\];\n\}\n$/,
  );
});

const FAILURES: readonly (readonly [
  claim: string,
  args: readonly string[],
  elementsPath: () => string,
  stderr: RegExp,
])[] = [
  [
    'no element',
    [],
    () => at('mine'),
    /^ERROR: Missing required argument 'element'\n[\s\S]*element-info --help/,
  ],
  ['an unknown option', ['--evn', 'x'], () => at('mine'), /^ERROR: Unknown option '--evn'.*--env/],
  ['two questions', ['--env', '--graph', 'app'], () => at('mine'), /^ERROR: Only one of/],
  ['--json alone', ['--json', 'app'], () => at('mine'), /^ERROR: --json goes with --describe/],
  [
    'an unknown format',
    ['--graph=svg', 'app'],
    () => at('mine'),
    /^ERROR: .*'svg' is invalid.*text, dot, mermaid/,
  ],
  [
    'an unknown element to describe',
    ['--describe', 'apq'],
    () => at('mine'),
    /^ERROR: Cannot find the element 'apq'\n[\s\S]*Did you mean app\?/,
  ],
  [
    'an element that nobody pulls in',
    ['--why', 'lic', 'app', 'os-of-mine'],
    () => at('mine'),
    /^ERROR: The element 'lic' is not pulled in[\s\S]*Did you mean lib\?/,
  ],
  [
    'an unknown element',
    ['apq'],
    () => at('mine'),
    /^ERROR: Cannot find the element 'apq'\n[\s\S]*Did you mean 'app'\?/,
  ],
  ['no operating system', ['a'], () => at('loops'), /^ERROR: .*\n[\s\S]*os-of-mine/],
  [
    'a missing directory',
    ['a'],
    () => at('nowhere'),
    /^ERROR: .*nowhere' of ELEMENTS_PATH: no such directory\n[\s\S]*Mend ELEMENTS_PATH/,
  ],
];

for (const [claim, args, elementsPath, stderr] of FAILURES) {
  test(`element-info ends with status 2 and a hint for ${claim}`, () => {
    const printed = run([COMMAND, ...args], elementsPath());
    assert.equal(printed.status, 2);
    assert.equal(printed.stdout, '');
    assert.match(printed.stderr, stderr);
    assert.doesNotMatch(printed.stderr, /^\s+at /m);
  });
}

test('element-info tells about itself', () => {
  const help = run([COMMAND, '--help'], '');
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--env[\s\S]*Examples:/);
  const version = run([COMMAND, '--version'], '');
  assert.deepEqual([version.status, version.stderr], [0, '']);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

function pick({ status, stdout, stderr }: Printed): Printed {
  return { status, stdout, stderr };
}
