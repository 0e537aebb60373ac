/** Room in images and on the host: told before anything is written, and never told wrongly. Needs root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { mke2fsArgv, mkfsVfatArgv } from '../../src/disk/commands.ts';
import { measureNeeds } from '../../src/disk/fit.ts';
import type { DiskPlan, FileSystemLayout } from '../../src/disk/layout.ts';
import { MKE2FS_CONFIG } from '../../src/disk/mke2fs-config.ts';
import { roomOf } from '../../src/disk/room.ts';
import type { Context } from '../../src/events/event.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';
import { EFI, MBR, planOf } from '../unit/disk/configs.ts';

let top = '';
const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

before(() => {
  top = mkdtempSync(path.join(tmpdir(), 'space-'));
  writeFileSync(path.join(top, 'mke2fs.conf'), MKE2FS_CONFIG);
});

after(() => rmSync(top, { recursive: true }));

function run(argv: readonly string[]): string {
  const [file = '', ...args] = argv;
  return execFileSync(file, args, {
    encoding: 'utf8',
    env: { ...ENV, MKE2FS_CONFIG: path.join(top, 'mke2fs.conf') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function rootOf(plan: DiskPlan): FileSystemLayout {
  const root = plan.fileSystems.find(({ mountPoint }) => mountPoint === '/');
  assert.ok(root !== undefined);
  return root;
}

/** Free blocks and inodes, as dumpe2fs counts them in what our mke2fs makes. */
function freeIn(fs: FileSystemLayout, tree?: string): { blocks: number; inodes: number } {
  const file = path.join(top, 'disk');
  rmSync(file, { force: true });
  writeFileSync(file, '');
  truncateSync(file, fs.sizeBytes);
  const whole = { ...fs, offsetBytes: 0 };
  run(mke2fsArgv(whole, tree === undefined ? { file } : { file, tree }));
  const said = run(['dumpe2fs', '-h', file]);
  const number = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(said)?.[1]);
  return { blocks: number('Free blocks'), inodes: number('Free inodes') };
}

const SIZES: readonly (readonly [mib: number, type: string, options: string])[] = [
  [40, 'ext4', ''],
  [150, 'ext4', '-i 4096 -J size=16'],
  [511, 'ext4', '-i 4096 -J size=64'],
  [700, 'ext4', '-i 4096 -J size=64'],
  [700, 'ext4', '-N 2000 -E resize=8000000'],
  [1025, 'ext4', '-i 4096 -O ^64bit,^metadata_csum -I 128'],
  [3000, 'ext3', '-b 2048 -O ^resize_inode'],
  [90, 'ext2', '-b 4096'],
];

for (const [mib, type, options] of SIZES) {
  test(`what mke2fs leaves of ${mib} MiB is known beforehand: ${type} ${options}`, () => {
    const words = options.split(' ').filter((word) => word !== '');
    const fs = { ...rootOf(planOf(MBR, mib)), type, options: words };
    const room = roomOf(fs);
    assert.deepEqual({ blocks: room?.freeBlocks, inodes: room?.freeInodes }, freeIn(fs));
  });
}

/** Of everything that could be counted wrongly. */
function makeTree(): string {
  const tree = path.join(top, 'tree');
  mkdirSync(path.join(tree, 'usr/lib'), { recursive: true });
  mkdirSync(path.join(tree, 'names'));
  for (let index = 0; index < 200; index++) {
    writeFileSync(path.join(tree, 'names', `file-number-${index}`), '');
  }
  writeFileSync(path.join(tree, 'usr/lib/a'), Buffer.alloc(5000, 1));
  linkSync(path.join(tree, 'usr/lib/a'), path.join(tree, 'usr/lib/b'));
  writeFileSync(path.join(tree, 'usr/zeros'), Buffer.alloc(3_000_000));
  writeFileSync(path.join(tree, 'usr/half'), Buffer.alloc(8192, 1).fill(0, 0, 4096));
  writeFileSync(path.join(tree, 'usr/large'), Buffer.alloc(3_000_000, 7));
  writeFileSync(path.join(tree, 'usr/hole'), '');
  truncateSync(path.join(tree, 'usr/hole'), 2 ** 30);
  for (const length of [59, 60, 200]) {
    symlinkSync('x'.repeat(length), path.join(tree, `link-${length}`));
  }
  run(['mknod', path.join(tree, 'null'), 'c', '1', '3']);
  run(['mkfifo', path.join(tree, 'pipe')]);
  return tree;
}

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: ENV,
};

test('what a tree takes is known beforehand, to the block', async () => {
  const tree = makeTree();
  for (const [mib, type] of [
    [60, 'ext4'],
    [600, 'ext4'],
    [100, 'ext3'],
  ] as const) {
    const plan = planOf(MBR, mib);
    const fs = { ...rootOf(plan), type, options: [] };
    const needs = await measureNeeds(
      { ...plan, fileSystems: [fs] },
      { tree, exact: true },
      context,
    );
    const [empty, filled] = [freeIn(fs), freeIn(fs, tree)];
    assert.deepEqual(
      needs[0]?.need,
      { blocks: empty.blocks - filled.blocks, inodes: empty.inodes - filled.inodes },
      `${mib} MiB ${type}`,
    );
    const [guess] = await measureNeeds(
      { ...plan, fileSystems: [fs] },
      { tree, exact: false },
      context,
    );
    assert.ok((guess?.need.blocks ?? 0) >= (needs[0]?.need.blocks ?? 0), 'a guess is too small');
  }
});

test('what mkfs.vfat leaves of an EFI system partition is known beforehand', () => {
  const [esp] = planOf(EFI, 1200).fileSystems.filter(({ type }) => type === 'vfat');
  assert.ok(esp !== undefined);
  const file = path.join(top, 'esp');
  writeFileSync(file, '');
  truncateSync(file, esp.sizeBytes);
  run(mkfsVfatArgv({ ...esp, offsetBytes: 0 }, file));
  const said = run(['fsck.vfat', '-n', '-v', file]);
  assert.equal(roomOf(esp)?.freeBlocks, Number(/(\d+) data clusters/.exec(said)?.[1]));
  rmSync(file);
});

/** 30 MB that cannot be made smaller. */
async function addBallast(rig: Rig): Promise<void> {
  const body = 'mkdir -p /opt/big; head -c 30000000 /dev/urandom >/opt/big/ballast';
  await rig.element('filling', { 'install.d/10-filling': hook(body) });
}

/** Empty files, a hundred in a directory. */
async function addFiles(rig: Rig, count: number): Promise<void> {
  const body = `mkdir /many; cd /many
    for ((f = 0; f < ${count}; f++)); do
      if ((f % 100 == 0)); then mkdir "$((f / 100))"; fi
      : >"$((f / 100))/$f"
    done`;
  await rig.element('many', { 'install.d/10-many': hook(body) });
}

test('an image that is too small: what is needed, what grew, and the size that does', async () => {
  await using rig = await openRig();
  await addBallast(rig);
  const args = ['-n', '-t', 'raw', 'tiny', 'filling'];
  const small = await rig.run('disk-image-create', args, { env: { DIB_IMAGE_SIZE: '0.03' } });
  assert.equal(small.status, 2, small.stderr);
  assert.match(
    small.stderr,
    /The files below "\/" do not fit in file system "cloudimg-rootfs" of 30 MiB: they need \d[\d.]* MiB in \d+ inodes, and it has room for \d[\d.]* MiB and \d+ inodes/,
  );
  assert.match(small.stderr, /The largest directories: \/opt\/big 29 MiB/);
  assert.ok(!small.events.some((event) => event.kind === 'output' && /mke2fs/.test(event.line)));
  assert.deepEqual(await rig.outputs(), []);
  const [, advised = ''] =
    /Use --image-size ([\d.]+) \(GiB\) or larger instead of 0\.03 \(--image-size or DIB_IMAGE_SIZE\)/.exec(
      small.stderr,
    ) ?? [];
  const built = await rig.run('disk-image-create', ['--image-size', advised, ...args]);
  assert.equal(built.status, 0, built.stderr);
  assert.deepEqual(await rig.outputs(), ['image.raw']);
});

test('too few inodes: how many are needed, and the option that asks for them', async () => {
  await using rig = await openRig();
  await addFiles(rig, 300);
  const options = ['--image-size', '0.1', '--mkfs-options', '-N 16'];
  const { status, stderr } = await rig.run('disk-image-create', [
    '-n',
    '-t',
    'raw',
    ...options,
    'tiny',
    'many',
  ]);
  assert.equal(status, 2, stderr);
  assert.match(stderr, /in (\d\d+) inodes, and it has room for [\d.]+ MiB and \d+ inodes/);
  assert.match(stderr, /--mkfs-options '-N \d+00'/);
});

test('a partition of a fixed size: its name, file, line, and how large it has to be', async () => {
  await using rig = await openRig();
  await addBallast(rig);
  const file = path.join(rig.dir, 'disk.yaml');
  writeFileSync(
    file,
    [
      '- local_loop: {name: image0}',
      '- partitioning:',
      '    base: image0',
      '    label: mbr',
      '    partitions:',
      '      - name: root',
      '        flags: [boot, primary]',
      '        size: 16MiB',
      '        mkfs:',
      '          type: ext4',
      '          mount: {mount_point: /}',
    ].join('\n'),
  );
  const env = { DIB_BLOCK_DEVICE_CONFIG: `file://${file}` };
  const { status, stderr } = await rig.run(
    'disk-image-create',
    ['-n', '-t', 'raw', 'tiny', 'filling'],
    { env },
  );
  assert.equal(status, 2, stderr);
  assert.match(
    stderr,
    /Give "mkfs_root" in .*disk\.yaml:9 a disk or a partition of \d\d MiB or more/,
  );
});

test('a computed size is large enough for many small files, and for fixed partitions', async () => {
  await using rig = await openRig();
  await addFiles(rig, 2000);
  const options = ['--image-extra-size', '1', '--mkfs-options', '-i 65536'];
  const args = ['-n', '-t', 'raw', ...options, 'tiny', 'many'];
  const { status, stderr } = await rig.run('disk-image-create', args);
  assert.equal(status, 0, stderr);
  const said = run(['dumpe2fs', '-h', path.join(rig.out, 'image.raw')]);
  assert.ok(Number(/^Inode count: +(\d+)$/m.exec(said)?.[1]) > 2000, said);
});

test('zeros take no room, so a file of them fits where it seems not to', async () => {
  await using rig = await openRig();
  await rig.element('zeros', {
    'install.d/10-zeros': hook('head -c 80000000 /dev/zero >/swap; mkdir /data; echo x >/data/x'),
  });
  const args = ['-n', '-t', 'raw', '--image-size', '0.05', 'tiny', 'zeros'];
  const { status, stderr } = await rig.run('disk-image-create', args);
  assert.equal(status, 0, stderr);
});

async function onSmallFileSystem(
  dir: string,
  size: string,
  work: () => Promise<void>,
): Promise<void> {
  run(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'small', dir]);
  try {
    await work();
  } finally {
    run(['umount', '--lazy', dir]);
  }
}

/** Two disks; what `addBallast` adds is on the second. */
const TWO_DISKS = `
- local_loop: {name: image0}
- local_loop: {name: data, size: 100MiB}
- mkfs: {name: root, base: image0, type: ext4, mount: {mount_point: /}}
- mkfs: {name: big, base: data, type: ext4, mount: {mount_point: /opt/big}}
`;

type HostCase = readonly [
  what: string,
  args: readonly string[],
  says: RegExp,
  env?: Readonly<Record<string, string>>,
];

const HOST_CASES: readonly HostCase[] = [
  [
    'a disk',
    ['-t', 'raw'],
    /No space left for the disk in '.*': 3\d(\.\d)? MiB are needed, \d(\.\d)? MiB of 8 MiB are free/,
  ],
  [
    'archives',
    ['-t', 'tar,aci'],
    /No space left for the images \(tar, aci\) in '.*\/out': 6\d(\.\d)? MiB are needed, \d(\.\d)? MiB of 8 MiB are free/,
  ],
  [
    'a compressed qcow2, which may be there twice for a moment',
    ['-t', 'qcow2'],
    /No space left for the images \(qcow2\) in '.*\/out': about [56]\d(\.\d)? MiB are needed \(by a sample of the files\), \d(\.\d)? MiB of 8 MiB are free(.|\n)*there twice while/,
  ],
  [
    'a further disk',
    ['-t', 'vmdk'],
    /No space left for the images \(vmdk\) in '.*\/out': [34]\d(\.\d)? MiB are needed, \d(\.\d)? MiB of 8 MiB are free/,
    { DIB_BLOCK_DEVICE_CONFIG: TWO_DISKS },
  ],
];

for (const [what, args, says, env = {}] of HOST_CASES) {
  test(`where images go there is too little room for ${what}: told before they are written`, async () => {
    await using rig = await openRig();
    await addBallast(rig);
    await onSmallFileSystem(rig.out, '8m', async () => {
      writeFileSync(path.join(rig.out, 'image.raw'), 'old');
      const { status, stderr, events } = await rig.run(
        'disk-image-create',
        ['-n', ...args, 'tiny', 'filling'],
        { env },
      );
      assert.equal(status, 1, stderr);
      assert.match(stderr, says);
      assert.match(stderr, /with -o/);
      assert.ok(
        !events.some((event) => event.kind === 'step-start' && event.step.startsWith('write')),
      );
      assert.deepEqual(await readdir(rig.out), ['image.raw']);
      assert.equal(readFileSync(path.join(rig.out, 'image.raw'), 'utf8'), 'old');
    });
  });
}

function warningsOf(events: Result['events']): readonly string[] {
  return events.flatMap((event) =>
    event.kind === 'message' && event.level === 'warning' ? [event.text] : [],
  );
}

test('what compresses well is not refused, however large it is', async () => {
  await using rig = await openRig();
  await rig.element('wordy', {
    'install.d/10-wordy': hook('yes "the same words again" | head -c 20000000 >/words || true'),
  });
  await onSmallFileSystem(rig.out, '12m', async () => {
    const args = ['-n', '-t', 'tar.xz,qcow2', 'tiny', 'wordy'];
    const { status, stderr, events } = await rig.run('disk-image-create', args);
    assert.equal(status, 0, stderr);
    assert.deepEqual(warningsOf(events), []);
    assert.deepEqual((await readdir(rig.out)).toSorted(), ['image.qcow2', 'image.tar.xz']);
  });
});

test('what may fit is tried, with a warning of what is expected', async () => {
  await using rig = await openRig();
  await addBallast(rig);
  await onSmallFileSystem(rig.out, '24m', async () => {
    const args = ['-n', '-t', 'tar.zst', 'tiny', 'filling'];
    const { status, stderr, events } = await rig.run('disk-image-create', args);
    assert.equal(status, 1, stderr);
    assert.match(
      warningsOf(events).join('\n'),
      /There may be too little room for the images \(tar\.zst\) in '.*\/out': about 2\d(\.\d)? MiB are needed \(by a sample of the files\), 2[34](\.\d)? MiB of 24 MiB are free/,
    );
    assert.match(stderr, /ERROR: No space left on the device while writing .*image\.tar\.zst$/m);
    assert.deepEqual(await readdir(rig.out), []);
  });
});

test('a file system that is full already is told before any work', async () => {
  await using rig = await openRig();
  await onSmallFileSystem(rig.tmp, '1m', async () => {
    writeFileSync(path.join(rig.tmp, 'full'), Buffer.alloc(900_000, 1));
    const { status, stderr, events } = await rig.run('disk-image-create', [
      '-n',
      '-t',
      'tar',
      'tiny',
    ]);
    assert.equal(status, 1, stderr);
    assert.match(
      stderr,
      /No space left for work files in '.*\/tmp': 0\.\d MiB and \d+ inodes of 1 MiB are free/,
    );
    assert.match(stderr, /TMPDIR/);
    assert.ok(!events.some(({ kind }) => kind === 'phase-start'));
    rmSync(path.join(rig.tmp, 'full'));
  });
});
