import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageCommandLine } from '../../../src/cli/image-command-line.ts';
import { expandAbbreviations, OPTIONS } from '../../../src/plan/options.ts';

test('expandAbbreviations() writes unique prefixes out and leaves the rest alone', () => {
  const table: readonly (readonly [string[], string[]])[] = [
    [
      ['--image-s', '1'],
      ['--image-size', '1'],
    ],
    [['--image-s=1'], ['--image-size=1']],
    [['--check'], ['--checksum']],
    [
      ['--image', '1'],
      ['--image', '1'],
    ],
    [
      ['--off', 'vm'],
      ['--offline', 'vm'],
    ],
    [
      ['--', '--off'],
      ['--', '--off'],
    ],
    [
      ['-x', '--bogus'],
      ['-x', '--bogus'],
    ],
    [['--mkfs-options=-O a=b'], ['--mkfs-options=-O a=b']],
  ];
  for (const [argv, expected] of table) {
    assert.deepEqual(expandAbbreviations(argv), expected);
  }
});

test('parseImageCommandLine() mixes options and elements, and the last value wins', () => {
  const line = parseImageCommandLine(
    ['vm', '-xx', '-u', '-t', 'tar', '--no-tmpfs', 'os', '-t=raw', '-p', 'a', '-pb', '--', '-odd'],
    '0',
  );
  assert.deepEqual(line, {
    options: { types: '=raw', trace: 2, uncompressed: true, noTmpfs: true, packages: ['a', 'b'] },
    elements: ['vm', 'os', '-odd'],
  });
});

test('parseImageCommandLine() accepts what upstream documents and rejects', () => {
  const line = parseImageCommandLine(
    ['--image-extra-size', '100', '--mkfs-journal-size=32', 'os'],
    '0',
  );
  assert.deepEqual(line?.options, { imageExtraSize: '100', mkfsJournalSize: '32' });
});

test('parseImageCommandLine() refuses an unknown option', () => {
  assert.throws(() => parseImageCommandLine(['--bogus', 'os'], '0'), /--bogus/);
});

test('OPTIONS has a help text without a final period for each row, and each key once', () => {
  assert.equal(new Set(OPTIONS.map((row) => row.key)).size, OPTIONS.length);
  for (const row of OPTIONS) {
    assert.match(row.help, /[^.]$/);
  }
});
