/** The hooks of devuser and openssh-server that decide who gets in, and how. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ELEMENTS = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../elements');

function makeDirectory(context: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'dibkit-login-'));
  context.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

function run(argv: readonly [string, ...string[]], env: Readonly<Record<string, string>>) {
  const [file, ...args] = argv;
  return spawnSync(file, args, { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
}

const KEYS: readonly {
  claim: string;
  /** File below the home directory, to content. */
  files: Readonly<Record<string, string>>;
  asked?: string;
  got: string;
}[] = [
  {
    claim: 'all public keys of the builder, one per line',
    files: { 'id_ed25519.pub': 'modern', 'id_rsa.pub': 'old\n', id_rsa: 'secret', 'x.pub': 'no' },
    got: 'modern\nold\n',
  },
  {
    claim: 'the file that is named, and no other key',
    files: { 'id_rsa.pub': 'own\n', named: 'a\nb' },
    asked: 'named',
    got: 'a\nb\n',
  },
  { claim: 'no key where there is none', files: {}, got: '' },
];

for (const { claim, files, asked, got } of KEYS) {
  test(`devuser takes along ${claim}`, (context) => {
    const home = makeDirectory(context);
    const ssh = path.join(home, '.ssh');
    mkdirSync(ssh);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(ssh, name), text);
    }
    const told = run([path.join(ELEMENTS, 'devuser/extra-data.d/50-devuser')], {
      HOME: home,
      TMP_HOOKS_PATH: home,
      DIB_DEV_USER_AUTHORIZED_KEYS: asked === undefined ? '' : path.join(ssh, asked),
    });
    assert.deepEqual([told.status, told.stderr], [0, '']);
    const collected = path.join(home, 'devuser-ssh-authorized-keys');
    assert.equal(existsSync(collected) ? readFileSync(collected, 'utf8') : '', got);
  });
}

test('devuser refuses a file of keys that is not there', (context) => {
  const home = makeDirectory(context);
  const told = run([path.join(ELEMENTS, 'devuser/extra-data.d/50-devuser')], {
    HOME: home,
    TMP_HOOKS_PATH: home,
    DIB_DEV_USER_AUTHORIZED_KEYS: path.join(home, 'keys'),
  });
  assert.equal(told.status, 1);
  assert.match(told.stderr, /\/keys' \(DIB_DEV_USER_AUTHORIZED_KEYS\): no such file/);
});

/** Runs the hardening hook with `text` as /etc/ssh/sshd_config; returns what becomes of it. */
function harden(context: TestContext, text: string, hardening = '1'): string {
  const etc = makeDirectory(context);
  const config = path.join(etc, 'sshd_config');
  writeFileSync(config, text);
  const script = 'mount --bind "$ETC" /etc/ssh && exec "$HOOK"';
  const told = run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script], {
    ETC: etc,
    HOOK: path.join(ELEMENTS, 'openssh-server/post-install.d/99-harden-sshd-config'),
    DIB_OPENSSH_SERVER_HARDENING: hardening,
  });
  assert.deepEqual([told.status, told.stderr], [0, '']);
  return readFileSync(config, 'utf8');
}

/** The values of a setting, in the order of the file. */
function values(config: string, name: string): readonly string[][] {
  return [...config.matchAll(new RegExp(`^\\s*${name}\\s+(.*)$`, 'gim'))].map((match) =>
    (match[1] ?? '').split(','),
  );
}

const QUERIES = { MACs: 'mac', Ciphers: 'cipher', KexAlgorithms: 'kex' };

for (const [claim, before] of [
  ['empty', ''],
  ['bare', '# Ciphers and keying\nPort 22\n'],
  [
    'weak',
    'Include /x\nmacs hmac-md5\n  Ciphers 3des-cbc\nKexAlgorithms x\nMatch User a\nMACs y\n',
  ],
] as const) {
  test(`a configuration that is ${claim} gets one list of each kind, all known, before anything else`, (context) => {
    const after = harden(context, before);
    for (const [name, query] of Object.entries(QUERIES)) {
      const known = run(['ssh', '-Q', query], {}).stdout.split('\n');
      const [list = [], ...more] = values(after, name);
      assert.deepEqual(more, []);
      assert.ok(list.length > 2, `${name} ${list}`);
      assert.deepEqual(
        list.filter((entry) => !known.includes(entry)),
        [],
      );
    }
    assert.doesNotMatch(after, /md5|3des|cbc|sha1\b/);
    assert.match(after.split('\n').slice(0, 3).join('\n'), /^(MACs|Ciphers|KexAlgorithms) /);
    assert.deepEqual(harden(context, after), after);
  });
}

test('DIB_OPENSSH_SERVER_HARDENING=0 leaves the configuration alone', (context) => {
  assert.equal(harden(context, 'Ciphers 3des-cbc\n', '0'), 'Ciphers 3des-cbc\n');
});
