/** Wrong input: one clear sentence, the right status, nothing left behind, nothing replaced. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Result, type Rig, type RunOptions, text } from '../rig/rig.ts';

/** One partition that is larger than its disk. */
function diskConfig(): string {
  return [
    '- local_loop:',
    '    name: image0',
    '    size: 64MiB',
    '- partitioning:',
    '    base: image0',
    '    label: mbr',
    '    partitions:',
    '      - name: root',
    '        flags: [boot]',
    '        size: 1GiB',
    '        mkfs:',
    '          type: ext4',
    '          mount:',
    '            mount_point: /',
    '            fstab:',
    '              options: defaults',
    '              fsck-passno: 1',
  ].join('\n');
}

interface Case {
  readonly claim: string;
  readonly prepare?: (rig: Rig) => Promise<void>;
  /** Elements and options; default `tiny`. */
  readonly args?: readonly string[];
  readonly options?: (rig: Rig) => RunOptions | Promise<RunOptions>;
  readonly status: number;
  /** What the sentence must say. */
  readonly says: readonly RegExp[];
  /** Whether hooks may have run; by default nothing has started. */
  readonly started?: boolean;
}

const CASES: readonly Case[] = [
  {
    claim: 'a phase that there is none of is not taken for no wish at all',
    args: ['--cache-from', 'install.d', 'tiny'],
    status: 2,
    says: [/Unknown phase 'install\.d' in --cache-from/, /Did you mean install\b/],
  },
  {
    claim: 'to resume without layers is refused, and so is a cache without a name',
    args: ['--resume', '--no-cache', '--image-cache', '', 'tiny'],
    status: 2,
    says: [
      /--image-cache \(DIB_IMAGE_CACHE\) must be a directory: ''/,
      /--resume goes on from layers, which --no-cache/,
    ],
  },
  {
    claim: 'an explanation needs a work directory, too',
    args: ['--explain', 'tiny'],
    options: () => ({ env: { TMPDIR: '/nowhere' } }),
    status: 3,
    says: [/Cannot make a work directory in '\/nowhere'/, /Set TMPDIR/],
  },
  {
    claim: 'an explanation that cannot be written is no success',
    args: ['--explain', 'tiny'],
    options: () => ({ through: ['sh', '-c', 'exec "$@" >/dev/full', 'sh'] }),
    status: 1,
    says: [/Cannot write to standard output: ENOSPC/],
  },
  {
    claim: 'an unknown element is named, and the nearest one offered',
    args: ['tiny', 'tinny'],
    status: 2,
    says: [/'tinny'/, /'?tiny'?\b/],
  },
  {
    claim: 'two providers of one name are both named',
    prepare: async (rig) => {
      await rig.element('red', { 'element-provides': 'colour\n' });
      await rig.element('blue', { 'element-provides': 'colour\n' });
    },
    args: ['tiny', 'red', 'blue'],
    status: 2,
    says: [/'red'/, /'blue'/, /'colour'/],
  },
  {
    claim: 'a build without an operating system says which elements are one',
    prepare: async (rig) => {
      await rig.element('plain');
    },
    args: ['plain'],
    status: 2,
    says: [/operating system/, /debian-minimal/],
  },
  {
    claim: 'no element at all is a usage error',
    args: [],
    status: 2,
    says: [/element/],
  },
  {
    claim: 'an unknown option is named',
    args: ['--no-such-option', 'tiny'],
    status: 2,
    says: [/--no-such-option/],
  },
  {
    claim: 'a hook that is not executable is named with its element and the chmod that helps',
    prepare: async (rig) => {
      await rig.element('lame', { 'install.d/10-lame': '#!/bin/bash\necho\n' });
    },
    args: ['tiny', 'lame'],
    status: 2,
    says: [/10-lame/, /'lame'/, /chmod/],
  },
  {
    claim: 'an environment file that fails is named, with what it said',
    prepare: async (rig) => {
      await rig.element('broken', {
        'environment.d/10-broken': 'echo unhappy-words >&2\nfalse\n',
      });
    },
    args: ['tiny', 'broken'],
    status: 1,
    says: [/10-broken/, /unhappy-words/],
    started: true,
  },
  {
    claim: 'a failing hook is named with its element, status and last words',
    prepare: async (rig) => {
      await rig.element('bad', { 'install.d/10-bad': hook('echo last-words; exit 42') });
    },
    args: ['tiny', 'bad'],
    status: 1,
    says: [/10-bad/, /\bbad\b/, /42/, /last-words/, /break=before-install\.d\/10-bad /],
    started: true,
  },
  {
    claim: 'a block-device configuration that is no YAML is placed by line',
    options: async (rig) => {
      const file = path.join(rig.dir, 'disk.yaml');
      await writeFile(file, '- local_loop:\n    name: image0\n   size: [1\n');
      return { env: { DIB_BLOCK_DEVICE_CONFIG: `file://${file}` } };
    },
    status: 2,
    says: [/disk\.yaml/, /\b[34]\b/],
  },
  {
    claim: 'a wrong value in a block-device configuration is placed by line, and its key named',
    options: async (rig) => {
      const file = path.join(rig.dir, 'disk.yaml');
      await writeFile(file, diskConfig().replace('64MiB', 'plenty'));
      return { env: { DIB_BLOCK_DEVICE_CONFIG: `file://${file}` } };
    },
    status: 2,
    says: [/disk\.yaml:3\b/, /size/, /plenty/],
  },
  {
    claim: 'partitions that do not fit are a configuration error with both sizes',
    options: () => ({
      env: {
        DIB_BLOCK_DEVICE_CONFIG: diskConfig(),
      },
    }),
    status: 2,
    says: [/root/, /fit/],
    started: true,
  },
  {
    claim: 'a missing host tool is named with its package before any work starts',
    options: () => ({ through: without('qemu-img') }),
    status: 3,
    says: [/qemu-img/, /qemu-utils/],
  },
  {
    claim: 'an output directory that cannot be written is found out before any work starts',
    args: ['-o', '/proc/nowhere/image', 'tiny'],
    status: 3,
    says: [/\/proc\/nowhere/],
  },
  {
    claim: 'a cache that cannot be made is found out before any work starts, and soon',
    args: ['--image-cache', '/proc/nowhere/cache', 'tiny'],
    status: 3,
    says: [/cache directory '\/proc\/nowhere\/cache'.*ENOENT/, /--image-cache/],
  },
  {
    claim: 'a user without root is told so before any work starts',
    options: async (rig) => {
      await chmod(rig.dir, 0o755);
      return { through: ['unshare', '--user'] };
    },
    status: 3,
    says: [/root/, /sudo/],
  },
];

for (const { claim, prepare, args = ['tiny'], options, status, says, started = false } of CASES) {
  test(claim, async () => {
    await using rig = await openRig();
    await placeOldImage(rig);
    await prepare?.(rig);
    const result = await rig.run(
      'disk-image-create',
      ['-n', '-t', 'qcow2', ...args],
      await options?.(rig),
    );
    assertClear(result, status, says);
    if (!started) {
      assert.ok(!result.events.some(({ kind }) => kind === 'phase-start'), 'work had started');
    }
    await assertOnlyOldImage(rig);
  });
}

test('a full disk under the work directory is one sentence, and nothing is left', async () => {
  await using rig = await openRig();
  await placeOldImage(rig);
  await rig.element('greedy', {
    'install.d/10-greedy': hook('cat /dev/zero >/ballast'),
  });
  await onSmallFileSystem(rig.tmp, '24m', async () => {
    // On layers the tree grows in the cache; a full one is for the tests of layers.
    const args = ['--no-cache', '-n', '-t', 'qcow2', 'tiny', 'greedy'];
    const result = await rig.run('disk-image-create', args, { env: { DIB_NO_TMPFS: '1' } });
    assertClear(result, 1, [/[Nn]o space left/]);
    assert.deepEqual(await readdir(rig.tmp), []);
  });
  await assertOnlyOldImage(rig);
});

test('a full disk under the output directory is one sentence, and the old image stays', async () => {
  await using rig = await openRig();
  await rig.element('filling', {
    'install.d/10-filling': hook('head -c 30000000 /dev/urandom >/ballast'),
  });
  await onSmallFileSystem(rig.out, '8m', async () => {
    await placeOldImage(rig);
    const result = await rig.run('disk-image-create', ['-n', '-t', 'qcow2,tar', 'tiny', 'filling']);
    assertClear(result, 1, [/[Nn]o space left/]);
    await assertOnlyOldImage(rig, false);
  });
});

test('every element problem is reported in one go', async () => {
  await using rig = await openRig();
  const result = await rig.run('disk-image-create', ['-n', 'tiny', 'missing-one', 'missing-two']);
  assert.equal(result.status, 2);
  assert.match(result.stderr, /'missing-one'[\s\S]*'missing-two'/);
});

/** One error, of the right status, that says what it must, and is none of our own bugs. */
function assertClear(result: Result, status: number, says: readonly RegExp[]): void {
  const output = result.stdout + result.stderr;
  assert.equal(result.status, status, output.slice(-3000));
  assert.equal(output.match(/^(?:.* \| )?ERROR: /gm)?.length, 1, output.slice(-3000));
  assert.doesNotMatch(output, /internal error|^\s+at .*\.(js|ts):\d+/im);
  const error = output.slice(output.indexOf('ERROR: '));
  for (const each of says) {
    assert.match(error, each);
  }
}

async function placeOldImage(rig: Rig): Promise<void> {
  await writeFile(path.join(rig.out, 'image.qcow2'), 'old');
}

async function assertOnlyOldImage(rig: Rig, settled = true): Promise<void> {
  if (settled) {
    await rig.assertNothingLeaked();
  }
  assert.deepEqual(await rig.outputs(), ['image.qcow2']);
  assert.equal(await text(rig.out, 'image.qcow2'), 'old');
}

async function onSmallFileSystem(
  dir: string,
  size: string,
  work: () => Promise<void>,
): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'small', dir]);
  try {
    await work();
  } finally {
    execFileSync('umount', ['--lazy', dir]);
  }
}

/** Runs what follows where a tool of the host cannot be executed, whatever PATH says. */
function without(tool: string): readonly string[] {
  const hide = `for dir in /usr/bin /usr/sbin; do
    if [ -e "$dir/${tool}" ]; then mount --bind /dev/null "$dir/${tool}"; fi
  done
  exec "$@"`;
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hide, 'sh'];
}
