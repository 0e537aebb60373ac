/** How much can still be written to a file system. */
import { statfs } from 'node:fs/promises';
import type { FreeSpace } from './no-room.ts';

/** Source: statfs(2). */
const TMPFS = 0x01021994;
/** btrfs, zfs and bcachefs. Source: statfs(2), and their own headers. */
const COMPRESSING: ReadonlySet<number> = new Set([0x9123683e, 0x2fc12fc1, 0xca451a4e]);

/** Of the file system that a directory is on. */
export async function freeSpace(directory: string): Promise<FreeSpace> {
  const { type, bsize, blocks, bfree, bavail, files, ffree } = await statfs(directory);
  if (blocks === 0) {
    // Some that are made by programs do not say.
    const unknown = Number.POSITIVE_INFINITY;
    return { freeBytes: unknown, totalBytes: unknown, inMemory: false, mayCompress: false };
  }
  return {
    // The last ones of many file systems are for root alone.
    freeBytes: (process.geteuid?.() === 0 ? bfree : bavail) * bsize,
    totalBytes: blocks * bsize,
    ...(files === 0 ? {} : { freeInodes: ffree }),
    inMemory: type === TMPFS,
    mayCompress: COMPRESSING.has(type),
  };
}
