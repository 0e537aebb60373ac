/**
 * Where an ext file system keeps its inodes, and how their times are written. Pure.
 *
 * Source of offsets: Linux, Documentation/filesystems/ext4/{super,group_descr,inodes}.rst.
 */
import { CRC32C_START, crc32c } from '../cache/crc32c.ts';
import { sortAttributes } from './ext-xattrs.ts';

const MAGIC = 0xef53;
const INCOMPAT_META_BG = 0x10;
const INCOMPAT_64BIT = 0x80;
const INCOMPAT_CSUM_SEED = 0x2000;
const RO_COMPAT_GDT_CSUM = 0x10;
const RO_COMPAT_METADATA_CSUM = 0x400;

/** The superblock's place and length in the file system, in bytes. */
export const SUPERBLOCK = { offsetBytes: 1024, bytes: 1024 } as const;

export interface ExtLayout {
  readonly blockBytes: number;
  readonly inodeBytes: number;
  readonly inodesPerGroup: number;
  /** Where the group descriptors are, in bytes. */
  readonly descriptors: {
    readonly offsetBytes: number;
    readonly each: number;
    readonly count: number;
  };
  /** Whether a group says how many inodes of its table were never used. */
  readonly countsUnused: boolean;
  /** Of the inodes' checksums; absent: they have none. */
  readonly checksumSeed?: number;
}

/** Reads a superblock. @throws Error when it is none, or of a layout that nobody asked mke2fs for. */
export function readSuperblock(block: Buffer): ExtLayout {
  const [incompat, roCompat] = [block.readUInt32LE(0x60), block.readUInt32LE(0x64)];
  if (block.readUInt16LE(0x38) !== MAGIC || (incompat & INCOMPAT_META_BG) !== 0) {
    throw new Error('Not an ext file system whose group descriptors are in one place');
  }
  const blockBytes = 1024 << block.readUInt32LE(0x18);
  const inodesPerGroup = block.readUInt32LE(0x28);
  const firstBlock = block.readUInt32LE(0x14);
  const hasChecksums = (roCompat & RO_COMPAT_METADATA_CSUM) !== 0;
  return {
    blockBytes,
    inodeBytes: block.readUInt16LE(0x58),
    inodesPerGroup,
    descriptors: {
      offsetBytes: (firstBlock + 1) * blockBytes,
      each: (incompat & INCOMPAT_64BIT) === 0 ? 32 : block.readUInt16LE(0xfe),
      count: block.readUInt32LE(0) / inodesPerGroup,
    },
    countsUnused: (roCompat & (RO_COMPAT_GDT_CSUM | RO_COMPAT_METADATA_CSUM)) !== 0,
    ...(hasChecksums ? { checksumSeed: seedOf(block, incompat) } : {}),
  };
}

function seedOf(block: Buffer, incompat: number): number {
  return (incompat & INCOMPAT_CSUM_SEED) === 0
    ? crc32c(block.subarray(0x68, 0x78), CRC32C_START)
    : block.readUInt32LE(0x270);
}

/** A run of inodes that may be in use. */
export interface InodeTable {
  readonly offsetBytes: number;
  /** Number of the first one; they count from 1. */
  readonly first: number;
  readonly count: number;
}

/** The inode tables of all groups, from the group descriptors. */
export function inodeTables(layout: ExtLayout, descriptors: Buffer): InodeTable[] {
  const { each, count } = layout.descriptors;
  return Array.from({ length: count }, (_, group) => {
    const entry = descriptors.subarray(group * each, (group + 1) * each);
    const isLong = each >= 64;
    const block = entry.readUInt32LE(0x08) + (isLong ? entry.readUInt32LE(0x28) * 2 ** 32 : 0);
    const unused = entry.readUInt16LE(0x1c) + (isLong ? entry.readUInt16LE(0x32) * 2 ** 16 : 0);
    return {
      offsetBytes: block * layout.blockBytes,
      first: group * layout.inodesPerGroup + 1,
      count: layout.inodesPerGroup - (layout.countsUnused ? unused : 0),
    };
  });
}

/**
 * Writes the times of the inode `number`, and its attributes in one order: of the last access and change `date`, of the content that at
 * the latest. An inode that is not in use stays as it is, and the answer is false.
 */
export function stampInode(inode: Buffer, number: number, stamp: Stamp): boolean {
  const isUsed = inode.readUInt16LE(0x1a) > 0 && inode.readUInt32LE(0x14) === 0;
  if (!isUsed) {
    return false;
  }
  const extraBytes = inode.length > 128 ? inode.readUInt16LE(0x80) : 0;
  const { date, layout } = stamp;
  writeTime(inode, { at: 0x08, extraAt: 0x8c, extraBytes }, date);
  writeTime(inode, { at: 0x0c, extraAt: 0x84, extraBytes }, date);
  const modified = { at: 0x10, extraAt: 0x88, extraBytes };
  if (readTime(inode, modified) > date) {
    writeTime(inode, modified, date);
  }
  sortAttributes(inode, extraBytes);
  if (layout.checksumSeed !== undefined) {
    writeChecksum(inode, { number, seed: layout.checksumSeed, extraBytes });
  }
  return true;
}

export interface Stamp {
  /** Seconds since 1970. */
  readonly date: number;
  readonly layout: ExtLayout;
}

interface TimeField {
  readonly at: number;
  /** Of the field with nanoseconds and two more bits of the seconds. */
  readonly extraAt: number;
  /** How much of what follows the first 128 bytes is in use. */
  readonly extraBytes: number;
}

function hasExtra({ extraAt, extraBytes }: TimeField): boolean {
  return extraAt + 4 <= 128 + extraBytes;
}

/** Seconds, a fraction included. */
function readTime(inode: Buffer, field: TimeField): number {
  const low = inode.readInt32LE(field.at);
  if (!hasExtra(field)) {
    return low;
  }
  const extra = inode.readUInt32LE(field.extraAt);
  return low + (extra & 3) * 2 ** 32 + (extra >>> 2) / 1e9;
}

function writeTime(inode: Buffer, field: TimeField, seconds: number): void {
  const low = seconds | 0;
  inode.writeInt32LE(low, field.at);
  if (hasExtra(field)) {
    inode.writeUInt32LE(((seconds - low) / 2 ** 32) & 3, field.extraAt);
  }
}

function writeChecksum(
  inode: Buffer,
  { number, seed, extraBytes }: { number: number; seed: number; extraBytes: number },
): void {
  const [lowAt, highAt] = [0x7c, 0x82];
  const hasHigh = extraBytes >= 4;
  inode.writeUInt16LE(0, lowAt);
  if (hasHigh) {
    inode.writeUInt16LE(0, highAt);
  }
  const head = Buffer.alloc(8);
  head.writeUInt32LE(number, 0);
  head.writeUInt32LE(inode.readUInt32LE(0x64), 4);
  const sum = crc32c(inode, crc32c(head, seed));
  inode.writeUInt16LE(sum & 0xffff, lowAt);
  if (hasHigh) {
    inode.writeUInt16LE(sum >>> 16, highAt);
  }
}
