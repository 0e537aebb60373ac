/** How many blocks of a file are not all zeros: `mke2fs -d` writes no others. */
import { open } from 'node:fs/promises';
import { MIB } from './sizes.ts';

const ZEROS = Buffer.alloc(64 * 1024);

export async function countDataBlocks(file: string | Buffer, blockBytes: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const chunk = Buffer.alloc(MIB);
    let blocks = 0;
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length);
      if (bytesRead === 0) {
        return blocks;
      }
      blocks += blocksOfData(chunk.subarray(0, bytesRead), blockBytes);
    }
  } finally {
    await handle.close();
  }
}

function blocksOfData(bytes: Buffer, blockBytes: number): number {
  let blocks = 0;
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes);
    blocks += block.equals(ZEROS.subarray(0, block.length)) ? 0 : 1;
  }
  return blocks;
}
