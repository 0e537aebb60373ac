import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOutside, parseIdMap } from '../../../src/sandbox/id-map.ts';

const MAP = '         0       1000          1\n         1     100000      65536\n';

test('idOutside() finds what an id of a user namespace is outside', () => {
  const rows: readonly [string, number, number | undefined][] = [
    [MAP, 0, 1000],
    [MAP, 1, 100_000],
    [MAP, 65_536, 165_535],
    [MAP, 65_537, undefined],
    ['         0          0 4294967295\n', 33, 33],
    ['', 0, undefined],
  ];
  for (const [text, id, expected] of rows) {
    assert.equal(idOutside(parseIdMap(text), id), expected, `${id} in '${text}'`);
  }
});
