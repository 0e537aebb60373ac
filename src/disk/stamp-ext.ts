/**
 * Makes the times in an ext file system a matter of the image's date.
 *
 * `mke2fs -d` takes them from the tree. There the time of the last change cannot be set, and that of
 * the last access changes when somebody looks. mke2fs of e2fsprogs 1.47.0 is measured; later ones can
 * clamp times by themselves, which this does not mind.
 */
import { type FileHandle, open } from 'node:fs/promises';
import {
  type InodeTable,
  inodeTables,
  readSuperblock,
  type Stamp,
  SUPERBLOCK,
  stampInode,
} from './ext-layout.ts';

/** Stamps the file system that begins at `offsetBytes` of `file` with `date`, seconds since 1970. */
export async function stampExt(file: string, offsetBytes: number, date: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const at = (within: number): number => offsetBytes + within;
    const superblock = await read(handle, SUPERBLOCK.bytes, at(SUPERBLOCK.offsetBytes));
    const layout = readSuperblock(superblock);
    const { each, count, offsetBytes: start } = layout.descriptors;
    const descriptors = await read(handle, each * count, at(start));
    for (const table of inodeTables(layout, descriptors)) {
      const bytes = await read(handle, table.count * layout.inodeBytes, at(table.offsetBytes));
      // What was never used is a hole in the file, and stays one.
      const end = stampTable(bytes, table, { date, layout });
      await handle.write(bytes, 0, end, at(table.offsetBytes));
    }
  } finally {
    await handle.close();
  }
}

/** Stamps a whole table; returns where in it the last inode in use ends. */
function stampTable(bytes: Buffer, table: InodeTable, stamp: Stamp): number {
  const { inodeBytes } = stamp.layout;
  let end = 0;
  for (let index = 0; index < table.count; index++) {
    const inode = bytes.subarray(index * inodeBytes, (index + 1) * inodeBytes);
    if (stampInode(inode, table.first + index, stamp)) {
      end = (index + 1) * inodeBytes;
    }
  }
  return end;
}

async function read(handle: FileHandle, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, position);
  if (bytesRead !== length) {
    throw new Error(`A file system that ends after ${position + bytesRead} bytes`);
  }
  return bytes;
}
