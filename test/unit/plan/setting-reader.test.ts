import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIBIBYTES, SECTOR_BYTES, SettingReader, WHOLE } from '../../../src/plan/setting-reader.ts';

/** What is wrong with numbers that were set so; empty: nothing. */
function complaint(
  options: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): string {
  const read = new SettingReader({ options, environment });
  read.number('imageSize', 'DIB_IMAGE_SIZE', GIBIBYTES);
  read.number('maxOnlineResize', 'MAX_ONLINE_RESIZE', WHOLE);
  read.number(undefined, 'DIB_BLOCK_SIZE', SECTOR_BYTES);
  read.number('minTmpfs', 'DIB_MIN_TMPFS');
  try {
    read.assertNoProblems('disk-image-create');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const SIZE = 'must be a number of GiB above 0 and below 1048576';

const CASES: readonly (readonly [options: object, environment: object, message: string])[] = [
  [{ imageSize: '0.5', minTmpfs: '0' }, { DIB_BLOCK_SIZE: '4096', MAX_ONLINE_RESIZE: '10' }, ''],
  [{}, { DIB_IMAGE_SIZE: '', DIB_BLOCK_SIZE: '' }, ''],
  [{ imageSize: 'big' }, {}, `--image-size (DIB_IMAGE_SIZE) ${SIZE}: 'big'`],
  [{ imageSize: ' ' }, {}, `--image-size (DIB_IMAGE_SIZE) ${SIZE}: ' '`],
  [{ minTmpfs: '' }, {}, "--min-tmpfs (DIB_MIN_TMPFS) must be a number, zero or above: ''"],
  [{ imageSize: '0' }, {}, `--image-size (DIB_IMAGE_SIZE) ${SIZE}: '0'`],
  [{ imageSize: '1e30' }, {}, `--image-size (DIB_IMAGE_SIZE) ${SIZE}: '1e30'`],
  [{ imageSize: 'Infinity' }, {}, `--image-size (DIB_IMAGE_SIZE) ${SIZE}: 'Infinity'`],
  [{}, { DIB_IMAGE_SIZE: '-1' }, `DIB_IMAGE_SIZE ${SIZE}: '-1'`],
  [
    { maxOnlineResize: '1.5' },
    {},
    "--max-online-resize (MAX_ONLINE_RESIZE) must be a whole number above 0: '1.5'",
  ],
  [{}, { DIB_BLOCK_SIZE: '513' }, "DIB_BLOCK_SIZE must be 512, 1024, 2048 or 4096: '513'"],
  [{}, { DIB_BLOCK_SIZE: '0' }, "DIB_BLOCK_SIZE must be 512, 1024, 2048 or 4096: '0'"],
  [
    { minTmpfs: '-1' },
    { DIB_BLOCK_SIZE: 'x' },
    "DIB_BLOCK_SIZE must be 512, 1024, 2048 or 4096: 'x'; --min-tmpfs (DIB_MIN_TMPFS) must be a number, zero or above: '-1'",
  ],
];

for (const [options, environment, message] of CASES) {
  test(`numbers of ${JSON.stringify({ ...options, ...environment })}`, () => {
    const given = options as Record<string, string>;
    assert.equal(complaint(given, environment as Record<string, string>), message);
  });
}
