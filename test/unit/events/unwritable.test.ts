import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCode } from '../../../src/events/failure.ts';
import { cannotComplete, cannotOpen } from '../../../src/events/unwritable.ts';

const FILE = { name: "the events file '/x/it'", path: '/x/it', option: '--events' };

function error(code: string): Error {
  return Object.assign(new Error(`${code}: as Node says it`), { code });
}

const OPEN: readonly [string, RegExp, RegExp][] = [
  [
    'ENOENT',
    /^Cannot write the events file '\/x\/it': its directory does not exist$/,
    /mkdir -p '\/x'/,
  ],
  ['EISDIR', /it is a directory$/, /--events$/],
  ['EACCES', /permission denied$/, /--events$/],
  ['EIO', /EIO: as Node says it$/, /--events$/],
];

for (const [code, message, hint] of OPEN) {
  test(`a file that cannot be opened, ${code}, is a configuration error`, () => {
    const { failure } = cannotOpen(FILE, error(code));
    assert.match(failure.message, message);
    assert.match(failure.hint ?? '', hint);
    assert.equal(exitCode(failure), 2);
  });
}

const COMPLETE: readonly [string, number][] = [
  ['ENOSPC', 1],
  ['EDQUOT', 1],
  ['EIO', 3],
];

for (const [code, status] of COMPLETE) {
  test(`a file that cannot be written to its end, ${code}, is named, and no bug of ours`, () => {
    const { failure } = cannotComplete(FILE.name, error(code));
    assert.match(failure.message, /^Cannot complete the events file '\/x\/it': E/);
    assert.match(failure.hint ?? '', /the build itself is done/);
    assert.equal(exitCode(failure), status);
  });
}
