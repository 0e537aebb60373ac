/** `dibkit diff` on archives, directories and disks made with the usual tools. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openRig, type Rig } from '../rig/rig.ts';

const OFFSET = 1 << 20;
const LONG = `dir/${'long-name-'.repeat(18)}`;

let rig: Rig;

before(async () => {
  rig = await openRig();
  makeTree('left');
  makeTree('right');
});

after(async () => {
  await rig[Symbol.asyncDispose]();
});

/** A tree with one of each kind; times are fixed. */
function makeTree(name: string): void {
  const tree = path.join(rig.out, name);
  mkdirSync(path.join(tree, 'dir'), { recursive: true });
  writeFileSync(path.join(tree, 'motd'), 'hello\n');
  writeFileSync(path.join(tree, LONG), 'far away\n');
  writeFileSync(path.join(tree, 'nüchtern'), '');
  symlinkSync('motd', path.join(tree, 'link'));
  execFileSync('mknod', [path.join(tree, 'null'), 'c', '1', '3']);
  execFileSync('ln', [path.join(tree, 'motd'), path.join(tree, 'twin')]);
  execFileSync('setfattr', ['-n', 'user.colour', '-v', 'red', path.join(tree, 'motd')]);
  for (const file of ['motd', LONG, 'nüchtern', 'link', 'null', 'dir', '.']) {
    execFileSync('touch', ['-h', '-d', '@1700000000', path.join(tree, file)]);
  }
}

function changeRight(): void {
  const tree = path.join(rig.out, 'right');
  writeFileSync(path.join(tree, LONG), 'changed\n');
  chmodSync(path.join(tree, 'dir'), 0o700);
  execFileSync('chown', ['1:2', path.join(tree, 'nüchtern')]);
  execFileSync('setfattr', ['-n', 'user.colour', '-v', 'blue', path.join(tree, 'motd')]);
  writeFileSync(path.join(tree, 'more'), '');
  for (const file of [LONG, 'more']) {
    utimesSync(path.join(tree, file), 1_700_000_000, 1_700_000_000);
  }
  execFileSync('touch', ['-d', '@1700000000', tree]);
}

function tar(name: string, ...options: string[]): string {
  const file = `${name}${options.join('')}.tar`;
  const argv = ['--xattrs', '--xattrs-include=*', ...options, '-C', name, '-cf', file, '.'];
  execFileSync('tar', argv, { cwd: rig.out });
  return file;
}

async function diff(...argv: string[]): Promise<{ status: number | undefined; lines: string[] }> {
  const { status, stdout, stderr } = await rig.run('dibkit', ['diff', ...argv]);
  assert.equal(stderr, '');
  return { status, lines: stdout.split('\n').filter(Boolean) };
}

test('a directory is its archive, however that is written and compressed', async () => {
  const archives = [
    tar('left', '--format=gnu', '--no-xattrs'),
    tar('left', '--format=posix'),
    tar('left', '--gzip'),
    tar('left', '--zstd'),
    tar('left', '--xz'),
  ];
  for (const archive of archives) {
    const { lines } = await diff('--no-times', 'left', archive);
    assert.deepEqual(
      lines,
      archive.includes('no-xattrs')
        ? ['/motd', '/twin'].map((file) => `${file}: xattrs user.colour=red | `)
        : [],
    );
  }
});

test('each kind of difference is a line, and the status says that there is one', async () => {
  assert.deepEqual(await diff('left', 'right'), { status: 0, lines: [] });
  changeRight();
  const { status, lines } = await diff('left', 'right');
  assert.equal(status, 1);
  assert.deepEqual(
    lines.map((line) => line.replace(/sha256 \w+/g, 'sha256 X')),
    [
      '/dir: mode 0755 | 0700',
      `/${LONG}: content 9 bytes, sha256 X | 8 bytes, sha256 X`,
      'only in right: file /more',
      '/motd: xattrs user.colour=red | user.colour=blue',
      '/nüchtern: owner 0:0 | 1:2',
      '/twin: xattrs user.colour=red | user.colour=blue',
    ],
  );
  const json = await rig.run('dibkit', ['diff', '--json', 'left', 'right']);
  const paths = (JSON.parse(json.stdout) as { path: string }[]).map((one) => one.path);
  assert.deepEqual(paths, ['/dir', `/${LONG}`, '/more', '/motd', '/nüchtern', '/twin']);
});

test('squashfs is read too', async () => {
  const argv = ['right', 'right.squash', '-quiet', '-no-progress', '-xattrs'];
  execFileSync('mksquashfs', argv, { cwd: rig.out, stdio: 'ignore' });
  assert.deepEqual(await diff('right', 'right.squash'), { status: 0, lines: [] });
});

test('a disk is compared by its table, its partitions and their files', async () => {
  for (const tree of ['left', 'right']) {
    const raw = path.join(rig.out, `${tree}.raw`);
    writeFileSync(raw, '');
    truncateSync(raw, 12 << 20);
    const table = 'label: dos\nlabel-id: 0x1234abcd\nstart=2048,size=20480,type=83\n';
    execFileSync('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', raw], { input: table });
    const extended = `offset=${OFFSET},hash_seed=00000000-0000-0000-0000-000000000002,root_owner=0:0`;
    execFileSync(
      'mke2fs',
      [
        ...['-q', '-F', '-t', 'ext4', '-U', '00000000-0000-0000-0000-000000000001'],
        ...['-E', extended, '-d', path.join(rig.out, tree), raw, '10M'],
      ],
      { env: { ...process.env, E2FSPROGS_FAKE_TIME: '1700000000' } },
    );
  }
  const { status, lines } = await diff('left.raw', 'right.raw');
  assert.equal(status, 1);
  const named = lines.map((line) => line.replace(/ \S*sha256.*| [^ ]* \|.*/, ''));
  assert.ok(
    lines.some((line) => line.startsWith('1: content 10485760 bytes')),
    lines.join('\n'),
  );
  for (const wanted of ['1:/dir: mode', `1:/${LONG}: content 9`, '1:/nüchtern: owner']) {
    assert.ok(
      named.some((line) => line.startsWith(wanted)),
      `${wanted} in\n${lines.join('\n')}`,
    );
  }
  const convert = ['convert', '-O', 'qcow2', 'left.raw', 'left.qcow2'];
  execFileSync('qemu-img', convert, { cwd: rig.out });
  assert.deepEqual(await diff('left.raw', 'left.qcow2'), { status: 0, lines: [] });
});

test('what cannot be compared is told in one sentence', async () => {
  const missing = await rig.run('dibkit', ['diff', 'left', 'no-such.tar']);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /Cannot compare 'no-such.tar': no such file or directory/);
  const whole = tar('left');
  const cut = path.join(rig.out, 'cut.tar');
  spawnSync('cp', [path.join(rig.out, whole), cut]);
  truncateSync(cut, 3000);
  const { status, stderr } = await rig.run('dibkit', ['diff', 'left', 'cut.tar']);
  assert.equal(status, 4);
  assert.match(stderr, /cut\.tar.*ends too early/);
  assert.doesNotMatch(stderr, / at /);
});
