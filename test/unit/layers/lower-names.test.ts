import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowerName, mayCut } from '../../../src/layers/lower-names.ts';
import { overlayOptions } from '../../../src/sandbox/overlay.ts';

function lowerdirOf(layers: number): string {
  const lower = Array.from({ length: layers }, (_, index) => lowerName(index));
  const upper = `/${'u'.repeat(250)}`;
  const options = overlayOptions({ lower, upper, work: `${upper}.work` }, true);
  assert.equal(new Set(lower).size, layers);
  assert.ok(Buffer.byteLength(options) < 4096, 'mount(2) takes a page');
  return options.replace(/^lowerdir=|,.*/g, '');
}

test('lowerName() is short: what the kernel takes fits into a page, 90 layers into one option of fsconfig(2)', () => {
  assert.equal(lowerdirOf(2), '1:0');
  assert.ok(lowerdirOf(90).length < 256);
  lowerdirOf(500);
});

test('mayCut() leaves room for the ends of phases below what an overlay takes', () => {
  const rows: readonly [number, boolean][] = [
    [0, true],
    [90, true],
    [479, true],
    [480, false],
    [500, false],
  ];
  for (const [layers, expected] of rows) {
    assert.equal(mayCut(layers), expected, String(layers));
  }
});
