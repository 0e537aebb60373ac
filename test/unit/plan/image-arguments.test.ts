import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageArguments } from '../../../src/plan/image-arguments.ts';

const TABLE: readonly [string, string][] = [
  ['-o web -t tar,qcow2 vm debian-minimal', '-o web -t tar,qcow2 vm debian-minimal'],
  ['--events run-17.jsonl vm', 'vm'],
  ['vm --events=run-17.jsonl --checksum', 'vm --checksum'],
  ['--explain vm', 'vm'],
  ['--no-cache --resume -x vm', '-x vm'],
  ['--cache-from install --cache-max-age 1 --cache-size=3 vm', 'vm'],
  ['--event run-17.jsonl --image-s 1 vm', '--image-s 1 vm'],
  ['--logfile --events vm', '--logfile --events vm'],
  ['-n -- --events vm', '-n -- --events vm'],
  ['vm --events', 'vm'],
  ['', ''],
];

for (const [argv, told] of TABLE) {
  test(`imageArguments() of '${argv}'`, () => {
    assert.equal(imageArguments(argv.split(' ')).join(' '), told);
  });
}
