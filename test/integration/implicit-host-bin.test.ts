/** The stand-ins that hooks find on PATH on the host: hooks/host-bin. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BIN = path.join(ROOT, 'hooks/host-bin');
const work = realpathSync(mkdtempSync(path.join(tmpdir(), 'dibkit-host-bin-')));
after(() => rmSync(work, { recursive: true }));

interface Told {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Told {
  const [file = '', ...args] = argv;
  return spawnSync(file, args, {
    cwd: work,
    encoding: 'utf8',
    env: { PATH: `${BIN}:${process.env.PATH}`, ...env },
  });
}

const PLACES = 'printf "%s|%s|%s" "${TMPDIR-}" "${VIRTUAL_ENV-}" "${PYTHONPATH-}"';
const ELSEWHERE = { TMPDIR: '/nowhere', VIRTUAL_ENV: '/venv', PYTHONPATH: '/modules' };

const SUDO_SAYS: readonly { words: string[]; says: string; env?: Record<string, string> }[] = [
  { words: ['printf', '%s|', 'a b', '', '*'], says: 'a b||*|' },
  { words: ['-E', '-n', 'sh', '-c', 'printf %s "$KEPT"'], says: 'x y', env: { KEPT: 'x y' } },
  { words: ['sh', '-c', 'printf %s "$KEPT"'], says: 'x', env: { KEPT: 'x' } },
  { words: ['-nE', '--', 'A=b=c d', 'B=', 'sh', '-c', 'printf "%s|%s" "$A" "$B"'], says: 'b=c d|' },
  { words: ['-u', 'nobody', 'id', '-un'], says: 'nobody\n' },
  { words: ['--user=nobody', '--preserve-env=A', 'id', '-un'], says: 'nobody\n' },
  { words: ['-u', '#4321', 'id', '-u'], says: '4321\n' },
  { words: ['-u', 'root', '-g', 'daemon', 'id', '-gn'], says: 'daemon\n' },
  { words: ['-H', 'sh', '-c', 'printf %s "$HOME"'], says: '/root', env: { HOME: '/nowhere' } },
  { words: ['sh', '-c', 'printf %s "$HOME"'], says: '/root', env: { HOME: '/nowhere' } },
  { words: ['-E', 'sh', '-c', 'printf %s "$HOME"'], says: '/nowhere', env: { HOME: '/nowhere' } },
  { words: ['sh', '-c', PLACES], says: '||', env: ELSEWHERE },
  { words: ['-E', 'sh', '-c', PLACES], says: '/nowhere|/venv|', env: ELSEWHERE },
  { words: ['--preserve-env', 'sh', '-c', PLACES], says: '/nowhere|/venv|', env: ELSEWHERE },
  { words: ['--preserve-env=TMPDIR,A', 'sh', '-c', PLACES], says: '/nowhere||', env: ELSEWHERE },
  { words: ['TMPDIR=/own', 'sh', '-c', PLACES], says: '/own||', env: ELSEWHERE },
  { words: ['-s', 'printf', '%s|', 'a b', '$HOME'], says: 'a b|$HOME|', env: { SHELL: '/bin/sh' } },
  { words: ['-i', 'pwd'], says: '/root\n' },
  { words: ['-D', '/usr', 'pwd'], says: '/usr\n' },
  { words: ['-v'], says: '' },
  { words: ['-k'], says: '' },
];

for (const { words, says, env } of SUDO_SAYS) {
  test(`sudo ${words.join(' ')} says what the real one would`, () => {
    const told = run(['sudo', ...words], env);
    assert.equal(told.stdout, says);
    assert.equal(told.status, 0);
  });
}

const SUDO_FAILS: readonly { words: string[]; status: number; says: RegExp }[] = [
  { words: ['sh', '-c', 'exit 37'], status: 37, says: /^$/ },
  { words: [], status: 1, says: /no command/ },
  { words: ['--frobnicate', 'true'], status: 1, says: /--frobnicate/ },
  { words: ['-u', 'no-such-user', 'true'], status: 1, says: /'no-such-user'/ },
];

for (const { words, status, says } of SUDO_FAILS) {
  test(`sudo ${words.join(' ')} fails with ${status}`, () => {
    const told = run(['sudo', ...words]);
    assert.equal(told.status, status);
    assert.match(told.stderr, says);
  });
}

function zxHook(name: string, body: string): string {
  const file = path.join(work, name);
  writeFileSync(file, `#!/usr/bin/env zx\n${body}\n`, { mode: 0o755 });
  return file;
}

const ENGINE = { DIBKIT_NODE: process.execPath, DIBKIT_ROOT: ROOT };

test('zx runs an extensionless hook with its words, directory and environment', () => {
  const hook = zxHook(
    '10-say',
    `const cwd = (await $\`pwd\`).stdout.trim();
     console.log(JSON.stringify([argv._, argv.deep, cwd, process.env.SAID]));`,
  );
  const told = run([hook, 'a b', '--deep=1', 'c'], { ...ENGINE, SAID: 'yes' });
  assert.equal(told.stderr, '');
  assert.deepEqual(JSON.parse(told.stdout), [['a b', 'c'], 1, work, 'yes']);
  assert.equal(told.status, 0);
});

const ZX_ENDS: readonly { name: string; body: string; status: number }[] = [
  { name: '20-exits', body: 'process.exit(7);', status: 7 },
  { name: '30-sets-status', body: 'process.exitCode = 9;', status: 9 },
  { name: '40-command-fails', body: 'await $`false`;', status: 1 },
  { name: '50-does-not-parse', body: 'const = ;', status: 1 },
];

for (const { name, body, status } of ZX_ENDS) {
  test(`zx ends with ${status} and leaves nothing beside the hook: ${body}`, () => {
    const hook = zxHook(name, body);
    const before = readdirSync(work);
    assert.equal(run([hook], ENGINE).status, status);
    assert.deepEqual(readdirSync(work), before);
  });
}

test('zx is found where npm put it when that is not below our own package', () => {
  const app = path.join(work, 'app');
  const installed = path.join(app, 'node_modules/dibkit');
  for (const argv of [
    ['mkdir', '-p', installed],
    ['ln', '-s', path.join(ROOT, 'node_modules/zx'), path.join(app, 'node_modules/zx')],
  ]) {
    assert.equal(run(argv).status, 0);
  }
  const hook = zxHook('60-hoisted', 'console.log(typeof $);');
  const told = run([hook], { ...ENGINE, DIBKIT_ROOT: installed });
  assert.equal(told.stderr, '');
  assert.equal(told.stdout, 'function\n');
});

test('zx outside a build says what it lacks', () => {
  const told = run([zxHook('70-alone', '')]);
  assert.equal(told.status, 1);
  assert.match(told.stderr, /DIBKIT_NODE/);
});
