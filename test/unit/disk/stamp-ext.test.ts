/** Times in ext file systems as mke2fs makes them, read back by e2fsprogs. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdir,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { CRC32C_START, crc32c } from '../../../src/cache/crc32c.ts';
import { stampExt } from '../../../src/disk/stamp-ext.ts';

const DATE = 1_700_000_000;
const OFFSET = 1 << 20;

let work: string;
let tree: string;

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), 'stamp-ext-'));
  tree = path.join(work, 'tree');
  await mkdir(path.join(tree, 'dir'), { recursive: true });
  for (let at = 0; at < 300; at++) {
    await writeFile(path.join(tree, 'dir', `file${at}`), `${at}\n`);
  }
  await writeFile(path.join(tree, 'old'), 'old\n');
  await utimes(path.join(tree, 'old'), 1_600_000_000, 1_600_000_000);
  await symlink('old', path.join(tree, 'link'));
});
after(() => rm(work, { recursive: true }));

test('crc32c() of the nine digits is what the standard says, but for its last inversion', () => {
  assert.equal(crc32c(Buffer.from('123456789'), CRC32C_START) ^ -1, 0xe3069283 | 0);
});

const KINDS: readonly [name: string, options: readonly string[]][] = [
  ['ext4', ['-t', 'ext4', '-I', '256', '-O', 'metadata_csum,64bit']],
  ['ext4 with a seed of its own', ['-t', 'ext4', '-O', 'metadata_csum,metadata_csum_seed']],
  ['ext4 without checksums', ['-t', 'ext4', '-O', '^metadata_csum,^64bit,uninit_bg']],
  [
    'ext4 of small inodes and small groups',
    ['-t', 'ext4', '-I', '128', '-g', '1024', '-b', '1024'],
  ],
  ['ext3', ['-t', 'ext3']],
  ['ext2', ['-t', 'ext2', '-I', '128']],
];

for (const [name, options] of KINDS) {
  test(`stampExt() leaves a sound ${name} in which nothing is later than the date`, async () => {
    const image = path.join(work, `${name}.img`);
    await (await open(image, 'w')).close();
    execFileSync('mke2fs', [
      ...['-q', '-F', ...options, '-N', '2000', '-E', `offset=${OFFSET},root_owner=0:0`],
      ...['-d', tree, image, '24M'],
    ]);
    const before = (await stat(image)).blocks;
    await stampExt(image, OFFSET, DATE);
    assert.equal((await stat(image)).blocks, before, 'holes stay holes');
    const fsck = spawnSync('e2fsck', ['-f', '-n', `${image}?offset=${OFFSET}`], {
      encoding: 'utf8',
    });
    assert.equal(fsck.status, 0, fsck.stdout + fsck.stderr);
    const later = times(image, '/dir/file299');
    assert.deepEqual([later.ctime, later.atime, later.mtime], [DATE, DATE, DATE]);
    assert.deepEqual(times(image, '/link').mtime, DATE);
    assert.deepEqual(times(image, '/').ctime, DATE);
    assert.deepEqual(times(image, '/old').mtime, 1_600_000_000);
  });
}

test('stampExt() writes dates that need more than 32 bits', async () => {
  const image = path.join(work, 'far.img');
  const date = 2 ** 32 + 12_345;
  execFileSync('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-E',
    'root_owner=0:0',
    '-d',
    tree,
    image,
    '24M',
  ]);
  await stampExt(image, 0, date);
  assert.equal(times(image, '/dir').atime, date);
  assert.equal(spawnSync('e2fsck', ['-f', '-n', image]).status, 0);
});

test('stampExt() leaves extended attributes in one order, with their values', async () => {
  const images = await Promise.all(
    ['abc', 'cab'].map(async (order) => {
      const top = path.join(work, `attributes-${order}`);
      await mkdir(top);
      await writeFile(path.join(top, 'file'), 'x\n');
      await utimes(path.join(top, 'file'), DATE, DATE);
      for (const name of order) {
        const value = name === 'b' ? '' : name.repeat(7);
        execFileSync('setfattr', ['-n', `user.${name}`, '-v', value, path.join(top, 'file')]);
      }
      const image = path.join(work, `${order}.img`);
      execFileSync(
        'mke2fs',
        [
          ...['-q', '-F', '-t', 'ext4', '-O', 'metadata_csum', '-I', '256', '-b', '4096'],
          ...['-U', '00000000-0000-0000-0000-000000000001'],
          ...['-E', 'hash_seed=00000000-0000-0000-0000-000000000002,root_owner=0:0'],
          ...['-d', top, image, '24M'],
        ],
        { env: { ...process.env, E2FSPROGS_FAKE_TIME: String(DATE) } },
      );
      await stampExt(image, 0, DATE);
      return image;
    }),
  );
  const [one, other] = await Promise.all(images.map((image) => readFile(image)));
  assert.ok(one?.equals(other ?? Buffer.alloc(0)));
  assert.equal(spawnSync('e2fsck', ['-f', '-n', String(images[0])]).status, 0);
  const listed = execFileSync('debugfs', ['-R', 'ea_list /file', String(images[0])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.match(listed, /user\.a \(7\) = "aaaaaaa"\s+user\.b \(0\).*\s+user\.c \(7\) = "ccccccc"/);
});

test('stampExt() refuses what is no ext file system', async () => {
  const image = path.join(work, 'none.img');
  await writeFile(image, Buffer.alloc(8192));
  await assert.rejects(stampExt(image, 0, DATE), /Not an ext file system/);
});

/** The times of a path in seconds, as debugfs prints them: `ctime: 0xLOW[:EXTRA]`. */
function times(image: string, file: string): Readonly<Record<string, number>> {
  const at = image.endsWith('far.img') ? image : `${image}?offset=${OFFSET}`;
  const said = execFileSync('debugfs', ['-R', `stat ${file}`, at], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const rows = [...said.matchAll(/(\w+): 0x([0-9a-f]{8})(?::([0-9a-f]{8}))?/g)];
  return Object.fromEntries(
    rows.map(([, name = '', low = '', extra = '0']) => [
      name,
      (Number.parseInt(low, 16) | 0) + (Number.parseInt(extra, 16) & 3) * 2 ** 32,
    ]),
  );
}
