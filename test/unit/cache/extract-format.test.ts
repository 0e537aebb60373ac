import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeStranger, identifyArchive } from '../../../src/cache/archive-format.ts';
import { decompressionsOf } from '../../../src/cache/archive-tools.ts';

/** A block with `text` at an offset, the rest zeros. */
function block(text: string, offset = 0): Buffer {
  const head = Buffer.alloc(512);
  head.write(text, offset, 'latin1');
  return head;
}

/** A header from before ustar: no magic, only its checksum. */
function oldHeader(): Buffer {
  const head = block('etc/passwd');
  head.write('        ', 148, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return head;
}

const CASES = [
  { head: block('\x1f\x8b\x08'), format: 'gzip' },
  { head: block('\xfd7zXZ\0\0'), format: 'xz' },
  { head: block('\x28\xb5\x2f\xfd'), format: 'zstd' },
  { head: block('BZh91AY'), format: 'bzip2' },
  { head: block('hsqs'), format: 'squashfs' },
  { head: block('ustar\0', 257), format: 'tar' },
  { head: block('ustar  ', 257), format: 'tar' },
  { head: oldHeader(), format: 'tar' },
  { head: block('etc/passwd'), format: undefined },
  { head: Buffer.alloc(512), format: undefined },
  { head: Buffer.alloc(0), format: undefined },
  { head: Buffer.from('\x1f'), format: undefined },
] as const;

for (const [index, { head, format }] of CASES.entries()) {
  test(`identifyArchive() calls case ${index} ${format ?? 'nothing'}`, () => {
    assert.equal(identifyArchive(head), format);
  });
}

test('describeStranger() names what servers and people hand over instead', () => {
  assert.match(describeStranger(Buffer.from('\n<!DOCTYPE html>')), /web page/);
  assert.match(describeStranger(Buffer.alloc(0)), /empty/);
  assert.match(describeStranger(Buffer.from('QFI\xfb\0', 'latin1')), /qcow2/);
  assert.match(describeStranger(Buffer.from('hello')), /begins like no tar/);
});

test('decompressionsOf() prefers what is fastest', () => {
  assert.deepEqual(decompressionsOf('gzip'), ['zlib']);
  assert.deepEqual(decompressionsOf('tar'), ['none']);
  assert.deepEqual(decompressionsOf('xz')[0], ['xz', '-dc', '-T0']);
  assert.deepEqual(decompressionsOf('squashfs'), ['none']);
});
