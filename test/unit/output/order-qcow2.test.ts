/** qcow2 images that qemu-img has written out of order, in order; judged by qemu-img. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { orderQcow2 } from '../../../src/output/order-qcow2.ts';
import {
  clusterAt,
  putCompressed,
  putOffset,
  refcountClusters,
  tableOffset,
} from '../../../src/output/qcow2-tables.ts';
import { zstdFrameBytes } from '../../../src/output/zstd-frame.ts';

const MIB = 1 << 20;
const signal = new AbortController().signal;

let dir = '';
before(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'order-qcow2-'));
});
after(() => rmSync(dir, { recursive: true }));

/** `pieces`: what is where in a disk that is zero elsewhere. */
function makeRaw(sizeBytes: number, pieces: readonly (readonly [number, Buffer])[]): string {
  const file = path.join(dir, 'raw');
  rmSync(file, { force: true });
  execFileSync('truncate', ['-s', String(sizeBytes), file]);
  const handle = openSync(file, 'r+');
  for (const [offset, bytes] of pieces) {
    writeSync(handle, bytes, 0, bytes.length, offset);
  }
  closeSync(handle);
  return file;
}

/** In order within the file, unless less may be in memory. */
async function convert(
  raw: string,
  options: readonly string[] = [],
  mostInMemory?: number,
): Promise<string> {
  const file = path.join(dir, 'qcow2');
  rmSync(file, { force: true });
  const zstd = ['-o', 'compression_type=zstd'];
  const files = ['-f', 'raw', '-O', 'qcow2', ...zstd, raw, file];
  execFileSync('qemu-img', ['convert', '-c', ...options, ...files]);
  assert.equal(await orderQcow2(file, { signal }, mostInMemory), true);
  return file;
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** As compressible as text, and different everywhere. */
function words(bytes: number): Buffer {
  return Buffer.from(
    randomBytes(bytes / 4)
      .toString('hex')
      .replaceAll('0', '   '),
  ).subarray(0, bytes);
}

const DISKS: readonly (readonly [name: string, size: number, (readonly [number, Buffer])[]])[] = [
  ['nothing', 4 * MIB, []],
  ['what compresses', 8 * MIB, [[MIB, words(MIB)]]],
  ['what does not', 8 * MIB, [[0, randomBytes(MIB)]]],
  [
    'both in turns, more of it than is read and written at once',
    40 * MIB,
    Array.from({ length: 16 }, (_, index) => [
      index * 2 * MIB,
      index % 2 === 0 ? words(MIB + 70_000) : randomBytes(MIB / 2 + 999),
    ]),
  ],
  [
    'both in turns, beyond the first table of 512 MiB, to the last byte',
    1600 * MIB + 512,
    [
      [0, words(MIB)],
      [3 * MIB + 4096, randomBytes(MIB)],
      [700 * MIB, words(MIB)],
      [1600 * MIB - 100, randomBytes(612)],
    ],
  ],
];

for (const [name, size, pieces] of DISKS) {
  test(`orderQcow2() of a disk of ${name} is whole, and the same in whatever order it came`, async () => {
    const raw = makeRaw(size, pieces);
    const ordered = digest(await convert(raw));
    const unordered = [
      { options: ['-W', '-m', '16'] },
      { options: ['-W', '-m', '3'] },
      { options: ['-W', '-m', '16'], mostInMemory: 0 },
    ];
    for (const { options, mostInMemory } of unordered) {
      const file = await convert(raw, options, mostInMemory);
      execFileSync('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', raw, file]);
      const check = execFileSync('qemu-img', ['check', '--output=json', file], {
        encoding: 'utf8',
      });
      const { 'check-errors': errors, leaks = 0, corruptions = 0 } = JSON.parse(check);
      assert.deepEqual([errors, leaks, corruptions], [0, 0, 0], options.join(' '));
      assert.equal(digest(file), ordered, options.join(' '));
    }
  });
}

test('orderQcow2() leaves a qcow2 that is not as ours', async () => {
  const file = path.join(dir, 'other');
  execFileSync('qemu-img', ['create', '-f', 'qcow2', '-o', 'cluster_size=2M', file, '4M']);
  const before = digest(file);
  assert.equal(await orderQcow2(file, { signal }), false);
  assert.equal(digest(file), before);
});

const FRAMES: readonly (readonly [string, number, readonly string[]])[] = [
  ['nothing', 0, []],
  ['a byte', 1, ['--no-check']],
  ['a cluster', 65_536, ['--no-check']],
  ['a cluster with its sum', 65_536, ['--check']],
  ['a cluster of an unknown size', 65_536, ['--no-content-size']],
  ['several blocks', 700_000, ['--check']],
];

for (const [name, bytes, options] of FRAMES) {
  test(`zstdFrameBytes() finds the end of a frame of ${name}`, () => {
    for (const content of [
      words(Math.max(4, bytes)).subarray(0, bytes),
      Buffer.alloc(bytes),
      randomBytes(bytes),
    ]) {
      const plain = path.join(dir, 'plain');
      writeFileSync(plain, content);
      const frame = execFileSync('zstd', ['-q', '-c', ...options, plain]);
      const followed = Buffer.concat([frame, randomBytes(700)]);
      assert.equal(zstdFrameBytes(followed), frame.length);
      assert.equal(zstdFrameBytes(frame), frame.length);
      assert.throws(() => zstdFrameBytes(frame.subarray(0, -1)), RangeError);
    }
  });
}

test('zstdFrameBytes() refuses what is no frame', () => {
  assert.throws(() => zstdFrameBytes(Buffer.alloc(64)), /No zstd frame/);
});

const FAR = 5 * 2 ** 40 + 123 * 512;

test('entries of tables are read as they were written, however far they point', () => {
  const table = Buffer.alloc(64);
  putOffset(table, 1, FAR);
  assert.equal(tableOffset(table, 1), FAR);
  assert.deepEqual(clusterAt(table, 1), { kind: 'plain', offset: FAR });
  putCompressed(table, 2, [FAR + 100, FAR + 600]);
  assert.deepEqual(clusterAt(table, 2), { kind: 'compressed', offset: FAR + 100, end: FAR + 1024 });
  putCompressed(table, 3, [FAR, FAR + 65_535]);
  assert.deepEqual(clusterAt(table, 3), { kind: 'compressed', offset: FAR, end: FAR + 65_536 });
  assert.deepEqual(clusterAt(table, 0), { kind: 'none' });
});

const COUNTS = [
  [1, 1, 1],
  [32_766, 1, 1],
  [32_767, 1, 2],
  [65_533, 1, 2],
  [65_534, 1, 3],
] as const;

for (const [others, table, blocks] of COUNTS) {
  test(`refcountClusters(${others}) has room for all, its own included`, () => {
    assert.deepEqual(refcountClusters(others), { table, blocks });
  });
}
