import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nameLower } from '../../src/layers/lower-names.ts';
import { OVERLAY_ENVIRONMENT, overlayOptions } from '../../src/sandbox/overlay.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

/**
 * mount(8) as of util-linux 2.39: fsconfig(2) takes no more than 255 bytes, unless mount(2) is asked for. Of
 * $1 = `never` it cannot be asked, as in 2.39 itself.
 */
const NEWER_MOUNT = `#!/bin/sh
for word; do
    case $word in
    lowerdir=*)
        value=\${word%%,upperdir=*}
        [ "\${LIBMOUNT_FORCE_MOUNT2-}" = ALLOWED ] || [ $((\${#value} - 9)) -lt 256 ] || {
            echo 'mount: wrong fs type, bad option, bad superblock on overlay' >&2
            exit 32
        }
        ;;
    esac
done
PATH=\${PATH#*:} exec mount "$@"
`;

/** A build with a layer for each of nine phases, on a host with such a mount(8). */
async function buildsWith(rig: Rig, allowed: 'always' | 'nothing'): Promise<() => Promise<Result>> {
  const bin = path.join(rig.dir, allowed);
  await mkdir(bin);
  await writeFile(path.join(bin, 'mount'), NEWER_MOUNT.replace('ALLOWED', allowed), {
    mode: 0o755,
  });
  const phases = ['extra-data', 'pre-install', 'install', 'post-install', 'post-root'];
  const files = [...phases, 'pre-finalise', 'finalise', 'cleanup'].map((phase) => [
    `${phase}.d/10-something`,
    hook(`echo ${phase} >>"\${TARGET_ROOT:-}/etc/something"`),
  ]);
  await rig.element('phases', Object.fromEntries(files));
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    DIB_IMAGE_CACHE: path.join(rig.cache, allowed),
  };
  return () => rig.run('disk-image-create', ['-n', '-t', 'tar', 'tiny', 'phases'], { env });
}

function made({ events }: Result): readonly string[] {
  return events.flatMap((event) => (event.kind === 'layer' ? `${event.outcome}` : []));
}

test('a mount(8) that gives the kernel option by option mounts many layers', async () => {
  await using rig = await openRig();
  const build = await buildsWith(rig, 'always');
  const first = await build();
  assert.equal(first.status, 0, first.stdout + first.stderr);
  assert.equal(made(first).filter((outcome) => outcome === 'kept').length, 9);
  assert.deepEqual(new Set(made(await build())), new Set(['reused']));
});

test('where many layers cannot be mounted nothing is kept, and the build succeeds', async () => {
  await using rig = await openRig();
  const build = await buildsWith(rig, 'nothing');
  const only = await build();
  assert.equal(only.status, 0, only.stdout + only.stderr);
  assert.match(only.stdout, /No overlay can be mounted on .*: nothing is reused or kept/);
});

test('as many layers as the kernel takes can be mounted, by names of a few letters', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'dibkit-lower-'));
  try {
    const trees = Array.from({ length: 500 }, (_, index) => path.join(dir, 'store', `${index}`));
    for (const [index, tree] of trees.entries()) {
      mkdirSync(tree, { recursive: true });
      writeFileSync(path.join(tree, `file-${index}`), '');
      writeFileSync(path.join(tree, 'all'), String(index));
    }
    const base = path.join(dir, 'names');
    assert.deepEqual(nameLower(base, ['/elsewhere', '/other']), ['0', '1']);
    const lower = nameLower(base, trees);
    const options = overlayOptions({ lower, upper: '../up/upper', work: '../up/work' }, false);
    const script = `mkdir ../up ../at; mount -t tmpfs up ../up; mkdir ../up/upper ../up/work
      mount -t overlay -o "$1" overlay ../at && ls ../at | wc -l && cat ../at/all`;
    const argv = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', options];
    const env = { ...process.env, ...OVERLAY_ENVIRONMENT };
    const printed = execFileSync('unshare', argv, { cwd: base, env, encoding: 'utf8' });
    assert.deepEqual(printed.trim().split('\n'), ['501', '499']);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** What makes the tree outlive its mount; and what the build says of it. */
const HOLDS = [
  {
    what: 'a part of the tree that a hook has mounted outside of it',
    hook: 'mkdir "$DIB_IMAGE_CACHE/out"; mount --bind "$TMP_MOUNT_PATH/etc" "$DIB_IMAGE_CACHE/out"',
    says: /are not kept for the next build: a hook has mounted a part of the tree on .*\/out/,
  },
  {
    what: 'a process that a hook left, with mounts of its own',
    hook: "read -r < <(unshare --mount sh -c 'echo ready; exec sleep 1000 <&- >&- 2>&-')",
    says: /are not kept for the next build: a process that a hook left runs in it/,
  },
];

for (const { what, hook: body, says } of HOLDS) {
  test(`nothing is kept of what can still be changed: ${what}`, async () => {
    await using rig = await openRig();
    await rig.element('holding', {
      'extra-data.d/10-hold': hook(body),
      'cleanup.d/20-more': hook('echo more >>"$TARGET_ROOT/etc/os-release"'),
    });
    const result = await rig.run('disk-image-create', ['-n', '-t', 'tar', 'tiny', 'holding']);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    assert.match(result.stdout, says);
    const verified = await rig.run('dibkit', ['cache', 'verify']);
    assert.match(verified.stdout, /^1 layers, 0 faults$/m);
  });
}
