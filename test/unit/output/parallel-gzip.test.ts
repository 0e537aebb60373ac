import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { gzipBlocks } from '../../../src/output/parallel-gzip.ts';

async function compressed(blocks: readonly Buffer[]): Promise<Buffer> {
  async function* given(): AsyncGenerator<Buffer> {
    yield* blocks;
  }
  const out: Buffer[] = [];
  for await (const piece of gzipBlocks(given())) {
    out.push(piece);
  }
  return Buffer.concat(out);
}

test('gzipBlocks() keeps the order of many blocks, for gzip(1) and for zlib', async () => {
  // Of different work, so that later ones are done before earlier ones.
  const blocks = Array.from({ length: 40 }, (_, index) =>
    index % 2 === 0 ? randomBytes(200_000) : Buffer.alloc(1000, index),
  );
  const file = await compressed(blocks);
  const content = Buffer.concat(blocks);
  assert.ok(gunzipSync(file).equals(content));
  const { stdout, status } = spawnSync('gzip', ['-dc'], { input: file, maxBuffer: 1 << 26 });
  assert.equal(status, 0);
  assert.ok(stdout.equals(content));
  assert.ok((await compressed(blocks)).equals(file));
});

test('gzipBlocks() of nothing is a file of gzip all the same', async () => {
  assert.equal(gunzipSync(await compressed([])).length, 0);
});
