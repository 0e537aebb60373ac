import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fitJournal,
  type ImageSizeInput,
  imageSizeKiB,
  parsePortion,
  parseSizeBytes,
} from '../../../src/disk/sizes.ts';
import type { DiskRequest } from '../../../src/plan/build-plan.ts';

test('parseSizeBytes() reads upstream units', () => {
  const rows: readonly (readonly [string, number | undefined])[] = [
    ['1', 1],
    ['512B', 512],
    ['1 KiB', 1024],
    ['1K', 1000],
    ['2KB', 2000],
    ['1.5MiB', 1572864],
    ['8MiB', 8388608],
    ['40G', 40_000_000_000],
    ['1GiB', 1073741824],
    ['GiB', 1073741824],
    ['1T', 1e12],
    ['1TiB', 2 ** 40],
    ['.5K', 500],
    ['', undefined],
    ['.', undefined],
    ['1gib', undefined],
    ['1  K', undefined],
    ['1.2.3K', undefined],
    ['-1K', undefined],
    ['50%', undefined],
    ['1toString', undefined],
  ];
  for (const [text, bytes] of rows) {
    assert.equal(parseSizeBytes(text), bytes, text);
  }
});

test('parsePortion() reads percentages up to 100', () => {
  assert.deepEqual(parsePortion('33.3%'), { kind: 'percent', percent: 33.3 });
  assert.deepEqual(parsePortion('100 %'), { kind: 'percent', percent: 100 });
  assert.deepEqual(parsePortion('1K'), { kind: 'bytes', bytes: 1000 });
  for (const text of ['101%', '%', 'x%', '-1%']) {
    assert.equal(parsePortion(text), undefined, text);
  }
});

const REQUEST: DiskRequest = { journalSize: 64, mkfsOptions: '', rootFsType: 'ext4' };

function sizeOf(input: Partial<ImageSizeInput>, request: Partial<DiskRequest> = {}): number {
  return imageSizeKiB({ ...DEFAULTS, ...input, request: { ...REQUEST, ...request } }).sizeKiB;
}

const DEFAULTS: ImageSizeInput = {
  usedKiB: 600_000,
  request: REQUEST,
  rootFsType: 'ext4',
  efi: false,
};

test('imageSizeKiB() takes the tree as 60 % and adds the journal, in steps of 64 KiB', () => {
  assert.equal(sizeOf({}), 1_065_536);
  assert.equal(sizeOf({ usedKiB: 600_001 }), 1_065_600);
  assert.equal(sizeOf({ rootFsType: 'xfs' }), 1_000_000);
  assert.equal(sizeOf({}, { extraSize: 10 }), 675_776);
  assert.equal(sizeOf({}, { imageSize: 2 }), 2_097_152);
  assert.equal(sizeOf({}, { imageSize: 2, extraSize: 10 }), 2_097_152);
});

test('imageSizeKiB() makes room for EFI, even in an explicit size', () => {
  assert.equal(sizeOf({ efi: true }), 1_065_536 + 525 * 1024);
  assert.equal(sizeOf({ efi: true }, { imageSize: 1 }), (1024 + 525) * 1024);
});

test('imageSizeKiB() gives the root file system its options', () => {
  const options = (request: Partial<DiskRequest>, rootFsType = 'ext4'): string =>
    imageSizeKiB({ ...DEFAULTS, rootFsType, request: { ...REQUEST, ...request } }).mkfsOptions.join(
      ' ',
    );
  assert.equal(options({}), '-i 4096 -J size=64');
  assert.equal(options({ mkfsOptions: ' -O  ^64bit ' }), '-i 4096 -J size=64 -O ^64bit');
  assert.equal(options({ maxOnlineResize: 1000 }), '-E resize=1000 -i 4096 -J size=64');
  assert.equal(options({ mkfsOptions: '-m 0' }, 'ext3'), '-m 0');
});

test('fitJournal() keeps, shrinks or drops the journal size', () => {
  const fit = (sizeMiB: number): string =>
    fitJournal(['-i', '4096', '-J', 'size=64', '-m', '0'], sizeMiB * 1024 * 1024).join(' ');
  assert.equal(fit(1000), '-i 4096 -J size=64 -m 0');
  assert.equal(fit(134), '-i 4096 -J size=64 -m 0');
  assert.equal(fit(100), '-i 4096 -J size=48 -m 0');
  assert.equal(fit(8), '-i 4096 -m 0');
  assert.deepEqual(fitJournal(['-J', 'device=x'], 1), ['-J', 'device=x']);
});
