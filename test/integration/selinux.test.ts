/** Labels for SELinux, set by Debian's setfiles and read from the image by e2fsprogs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

/** In the form of the policies that distributions have. A tag of its own, so that nothing else can have set it. */
const CONTEXTS = [
  '/.*\tsystem_u:object_r:default_t:s0',
  '/dev\t-d\tsystem_u:object_r:device_t:s0',
  '/etc(/.*)?\tsystem_u:object_r:etc_t:s0',
  '/etc/passwd\t--\tsystem_u:object_r:passwd_file_t:s0',
  '/usr/bin(/.*)?\tsystem_u:object_r:bin_t:s0',
  '/tmp\t-d\tsystem_u:object_r:tmp_t:s0',
  '',
].join('\n');

const POLICY = hook(`
  mkdir -p "$TARGET_ROOT/etc/selinux/targeted/contexts/files"
  cp "$TMP_HOOKS_PATH/contexts" "$TARGET_ROOT/etc/selinux/targeted/contexts/files/file_contexts"
  printf 'SELINUX=%s\\nSELINUXTYPE=targeted\\n' "\${SELINUX:-enforcing}" >"$TARGET_ROOT/etc/selinux/config"
  echo 'file ü' >"$TARGET_ROOT/etc/ümlaut file"`);

/** Debian's program and its libraries; a Debian of today has it in either directory. */
const PROGRAM = hook(`
  program=$(command -v setfiles)
  install -D "$program" "$TARGET_ROOT/usr/sbin/setfiles"
  ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    install -D "$library" "$TARGET_ROOT$library"
  done`);

async function build(rig: Rig, env: Record<string, string> = {}): Promise<Result> {
  const args = ['-n', '-t', 'raw', 'tiny', 'policy', 'selinux-fixfiles-restore'];
  const result = await rig.run('disk-image-create', args, { env });
  assert.equal(result.status, 0, result.stderr);
  return result;
}

/** What e2fsprogs says about the image: it is one file system. */
function debugfs(rig: Rig, request: string): string {
  return execFileSync('debugfs', ['-R', request, path.join(rig.out, 'image.raw')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** The type in the label of a file; undefined when it has no label. */
function typeOf(rig: Rig, file: string): string | undefined {
  const said = debugfs(rig, `ea_get "${file}" security.selinux`);
  return /system_u:object_r:(\w+):s0/.exec(said)?.[1];
}

function isThere(rig: Rig, file: string): boolean {
  return debugfs(rig, `stat "${file}"`).startsWith('Inode:');
}

test('every file of the disk has the label of its policy, on a host without SELinux too', async () => {
  await using rig = await openRig();
  await rig.element('policy', {
    contexts: CONTEXTS,
    'root.d/50-policy': POLICY,
    'root.d/51-setfiles': PROGRAM,
    // Labelled at the first boot of the base image, say: not needed any more.
    'root.d/52-leftover': hook(': >"$TARGET_ROOT/.autorelabel"'),
  });
  const result = await build(rig);
  assert.doesNotMatch(result.stdout + result.stderr, /at its first boot/);
  const files = ['/', '/dev', '/proc', '/etc/passwd', '/etc/ümlaut file', '/tmp', '/usr/bin/env'];
  assert.deepEqual(
    files.map((file) => typeOf(rig, file)),
    ['default_t', 'device_t', 'default_t', 'passwd_file_t', 'etc_t', 'tmp_t', 'bin_t'],
  );
  assert.equal(isThere(rig, '/.autorelabel'), false);
});

const AT_FIRST_BOOT = {
  'setfiles is not in the image': {},
  'a line of the policy is broken': { 'root.d/51-setfiles': PROGRAM, contexts: '/etc(/.*\n' },
};
for (const [why, files] of Object.entries(AT_FIRST_BOOT)) {
  test(`the machine labels its files itself where ${why}`, async () => {
    await using rig = await openRig();
    await rig.element('policy', { contexts: CONTEXTS, 'root.d/50-policy': POLICY, ...files });
    const result = await build(rig);
    assert.match(result.stdout + result.stderr, /labels its files for SELinux at its first boot/);
    assert.equal(isThere(rig, '/.autorelabel'), true);
  });
}

test('an image that does not use SELinux is left alone', async () => {
  await using rig = await openRig();
  await rig.element('policy', {
    contexts: CONTEXTS,
    'root.d/50-policy': POLICY,
    'root.d/51-setfiles': PROGRAM,
  });
  await build(rig, { SELINUX: 'disabled' });
  assert.equal(typeOf(rig, '/etc/passwd'), undefined);
  assert.equal(isThere(rig, '/.autorelabel'), false);
});
