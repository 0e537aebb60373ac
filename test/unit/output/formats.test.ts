/** Every format, written twice and read back by the tools that people have for it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { EventBody } from '../../../src/events/event.ts';
import { writeOutputs } from '../../../src/output/write-outputs.ts';
import { fileName, formatOf } from '../../../src/plan/formats.ts';
import { identifiersFrom } from '../../../src/plan/identifiers.ts';

const DATE = 1_700_000_000;
/** Not a multiple of what VHD's geometry can say. */
const DISK_BYTES = 9_437_184 + 512 * 3;

const TREE = ['tar', 'tgz', 'tar.zst', 'tar.xz', 'squashfs', 'aci'];
const DISK = ['qcow2', 'vmdk', 'vdi', 'vhdx', 'vhd', 'raw.zst', 'raw.xz', 'raw'];

const work = await mkdtemp(path.join(tmpdir(), 'formats-'));
after(() => rm(work, { recursive: true }));

const warnings: string[] = [];

/** Writes all formats; `order` is that in which the files of the tree are made. */
async function write(name: string, order: readonly string[], seed: string): Promise<void> {
  const tree = path.join(work, `${name}-tree`);
  const staging = await mkdtemp(path.join(work, '.staging-'));
  await mkdir(path.join(tree, 'etc'), { recursive: true });
  for (const file of order) {
    await writeFile(path.join(tree, 'etc', file), `${file}\n`.repeat(1000));
  }
  execFileSync('ln', [path.join(tree, 'etc/a'), path.join(tree, 'etc/twin')]);
  execFileSync('ln', ['-s', './etc/a', path.join(tree, 'link')]);
  for (const attribute of order) {
    execFileSync('setfattr', ['-n', `user.${attribute}`, '-v', 'x', path.join(tree, 'etc/b')]);
  }
  const rawDisk = path.join(staging, 'image0.raw');
  const bytes = Buffer.alloc(DISK_BYTES);
  bytes.fill('content', 1 << 20, 3 << 20);
  await writeFile(rawDisk, bytes);
  await cp(rawDisk, path.join(work, `${name}-disk`));
  await writeFile(path.join(work, 'manifest.json'), '{"acKind": "ImageManifest"}\n');
  await writeOutputs(
    {
      image: {
        ...{ name, cwd: work, types: [...TREE, ...DISK], checksums: ['sha256'] },
        ...{ compress: true, overwrite: true, gzip: 'pigz', aciManifest: 'manifest.json' },
      },
      ...{ tree, rawDisk, staging, mode: 0o644, sourceDate: DATE },
      identifiers: identifiersFrom(seed),
    },
    {
      emit: (event: EventBody) => {
        if (event.kind === 'message' && event.level === 'warning') {
          warnings.push(event.text);
        }
      },
      signal: new AbortController().signal,
      toolEnvironment: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
    },
  );
}

function file(name: string, type: string): string {
  const format = formatOf(type);
  assert.ok(format);
  return path.join(work, fileName(name, format));
}

before(async () => {
  await write('one', ['a', 'b', 'c'], 'seed');
  await write('two', ['c', 'b', 'a'], 'seed');
  await write('other', ['a', 'b', 'c'], 'another seed');
});

for (const type of [...TREE, ...DISK]) {
  test(`${type}: the same input is the same file, and its sum is right`, async () => {
    const [one, two] = await Promise.all(['one', 'two'].map((name) => readFile(file(name, type))));
    assert.ok(one?.equals(two ?? Buffer.alloc(0)));
    const sum = `${path.basename(file('one', type))}.sha256`;
    execFileSync('sha256sum', ['--check', '--quiet', '--strict', sum], { cwd: work });
  });
}

test('formats with identifiers have other ones for another image', async () => {
  for (const type of ['vmdk', 'vdi', 'vhdx', 'vhd']) {
    const [one, other] = await Promise.all(
      ['one', 'other'].map((name) => readFile(file(name, type))),
    );
    assert.ok(!one?.equals(other ?? Buffer.alloc(0)), type);
  }
});

for (const [type, driver] of [
  ['qcow2', 'qcow2'],
  ['vmdk', 'vmdk'],
  ['vdi', 'vdi'],
  ['vhdx', 'vhdx'],
  ['vhd', 'vpc'],
] as const) {
  test(`${type}: qemu-img finds it sound, and in it the disk`, () => {
    const image = file('one', type);
    const raw = path.join(work, 'one-disk');
    execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', driver, raw, image]);
    if (driver !== 'vpc') {
      execFileSync('qemu-img', ['check', '-q', '-f', driver, image]);
    }
    const info = execFileSync('qemu-img', ['info', '-f', driver, '--output=json', image], {
      encoding: 'utf8',
    });
    assert.equal((JSON.parse(info) as { 'virtual-size': number })['virtual-size'], DISK_BYTES);
  });
}

for (const [type, tool] of [
  ['raw.zst', 'zstd'],
  ['raw.xz', 'xz'],
] as const) {
  test(`${type}: ${tool} unpacks the disk`, async () => {
    const unpacked = execFileSync(tool, ['-dc', file('one', type)], { maxBuffer: 1 << 26 });
    assert.ok(unpacked.equals(await readFile(path.join(work, 'one-disk'))));
  });
}

for (const [type, tool] of [
  ['tgz', 'gzip'],
  ['tar.zst', 'zstd'],
  ['tar.xz', 'xz'],
] as const) {
  test(`${type}: ${tool} unpacks the tar`, async () => {
    const input = await readFile(file('one', type));
    const plain = execFileSync(tool, ['-dc'], { input, maxBuffer: 1 << 26 });
    assert.ok(plain.equals(await readFile(file('one', 'tar'))));
  });
}

test('squashfs: unsquashfs gives the tree back, dated, with attributes, links and all', () => {
  const at = path.join(work, 'unsquashed');
  execFileSync('unsquashfs', ['-no-progress', '-quiet', '-dest', at, file('one', 'squashfs')], {
    stdio: 'ignore',
  });
  execFileSync('diff', ['-r', '--no-dereference', path.join(work, 'one-tree'), at]);
  const said = execFileSync('getfattr', ['-d', '--absolute-names', path.join(at, 'etc/b')], {
    encoding: 'utf8',
  });
  assert.match(said, /user\.a="x"\nuser\.b="x"\nuser\.c="x"/);
  const stats = execFileSync('stat', ['--format=%h %Y', path.join(at, 'etc/a'), at], {
    encoding: 'utf8',
  });
  assert.equal(stats, `2 ${DATE}\n3 ${DATE}\n`);
});

test('aci: the tree is below rootfs, the manifest beside it, and links point where they did', () => {
  const listed = execFileSync('tar', ['-tvf', file('one', 'aci')], { encoding: 'utf8' });
  const names = listed
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^.* \d\d:\d\d /, ''));
  assert.deepEqual(names, [
    'rootfs/',
    'rootfs/etc/',
    'rootfs/etc/a',
    'rootfs/etc/b',
    'rootfs/etc/c',
    'rootfs/etc/twin link to rootfs/etc/a',
    'rootfs/link -> ./etc/a',
    'manifest',
  ]);
  const manifest = execFileSync('tar', ['-xOf', file('one', 'aci'), 'manifest'], {
    encoding: 'utf8',
  });
  assert.equal(manifest, '{"acKind": "ImageManifest"}\n');
  assert.deepEqual(warnings, []);
});
