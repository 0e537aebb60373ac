import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCutHere } from '../../../src/phases/cut.ts';

const CASES: readonly [tookMs: number, stage: 'root' | 'disk', layers: number, isCut: boolean][] = [
  [1999, 'root', 1, false],
  [2000, 'root', 1, true],
  [999, 'disk', 1, false],
  [1000, 'disk', 1, true],
  [29_999, 'root', 0, false],
  [30_000, 'root', 0, true],
  [30_000, 'root', 10_000, false],
];

for (const [tookMs, stage, layers, isCut] of CASES) {
  test(`hooks of ${tookMs} ms in stage ${stage} on ${layers} layers end one: ${isCut}`, () => {
    assert.equal(isCutHere(tookMs, { stage, layers }), isCut);
  });
}
