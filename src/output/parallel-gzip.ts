/**
 * gzip on all cores: blocks of a fixed size are compressed beside each other, each a member of its own.
 * The bytes do not depend on how many cores there are. Source: RFC 1952, "a gzip file consists of a series
 * of members"; readers of images know such files from eStargz.
 */
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** Against one stream this costs a percent of size. */
export const GZIP_BLOCK_BYTES: number = 1 << 20;

/** The compressed form of `blocks`, each of which becomes a member. At most two per core are held. */
export async function* gzipBlocks(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const most = 2 * availableParallelism();
  const underway: Promise<Buffer>[] = [];
  let isEmpty = true;
  for await (const block of blocks) {
    isEmpty = false;
    const member = compress(block);
    // Whoever takes it hears of a failure, which may be before that.
    member.catch(() => {});
    underway.push(member);
    if (underway.length >= most) {
      yield* taken(underway, 1);
    }
  }
  if (isEmpty) {
    yield compress(Buffer.alloc(0));
  }
  yield* taken(underway, underway.length);
}

async function* taken(underway: Promise<Buffer>[], count: number): AsyncGenerator<Buffer> {
  for (const member of underway.splice(0, count)) {
    yield await member;
  }
}
