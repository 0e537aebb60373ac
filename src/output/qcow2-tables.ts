/**
 * The tables of a compressed qcow2 as qemu-img makes it: version 3, clusters of 64 KiB, zstd, nothing behind
 * it and no snapshots. Pure. Source: QEMU's docs/interop/qcow2.txt.
 */

export const CLUSTER_BYTES: number = 64 * 1024;
const SECTOR_BYTES = 512;
const ENTRY_BYTES = 8;
const UINT32 = 2 ** 32;

/** Where things of the header are. */
const AT = {
  magic: 0,
  version: 4,
  backingOffset: 8,
  clusterBits: 20,
  encryption: 32,
  l1Size: 36,
  l1Offset: 40,
  refcountOffset: 48,
  refcountClusters: 56,
  snapshots: 60,
  incompatible: 72,
  refcountOrder: 96,
  compression: 104,
} as const;

const MAGIC = 0x514649fb;
/** "The compression type is in the header." */
const COMPRESSION_BIT = 1n << 3n;
const ZSTD = 1;
/** Of 16 bits. */
const REFCOUNT_ORDER = 4;
export const REFCOUNTS_PER_BLOCK: number = CLUSTER_BYTES / 2;
export const ENTRIES_PER_TABLE: number = CLUSTER_BYTES / ENTRY_BYTES;

export interface Qcow2Header {
  readonly l1Size: number;
  readonly l1Offset: number;
}

/** Undefined for another kind of qcow2 than ours. */
export function parseHeader(cluster: Buffer): Qcow2Header | undefined {
  const isOurs =
    cluster.readUInt32BE(AT.magic) === MAGIC &&
    cluster.readUInt32BE(AT.version) === 3 &&
    cluster.readBigUInt64BE(AT.backingOffset) === 0n &&
    2 ** cluster.readUInt32BE(AT.clusterBits) === CLUSTER_BYTES &&
    cluster.readUInt32BE(AT.encryption) === 0 &&
    cluster.readUInt32BE(AT.snapshots) === 0 &&
    cluster.readBigUInt64BE(AT.incompatible) === COMPRESSION_BIT &&
    cluster.readUInt32BE(AT.refcountOrder) === REFCOUNT_ORDER &&
    cluster.readUInt8(AT.compression) === ZSTD;
  return isOurs
    ? {
        l1Size: cluster.readUInt32BE(AT.l1Size),
        l1Offset: Number(cluster.readBigUInt64BE(AT.l1Offset)),
      }
    : undefined;
}

/** The first cluster with other places for its tables. */
export function withPlaces(
  cluster: Buffer,
  places: {
    readonly l1Offset: number;
    readonly refcountOffset: number;
    readonly refcountClusters: number;
  },
): Buffer {
  const header = Buffer.from(cluster);
  header.writeBigUInt64BE(BigInt(places.l1Offset), AT.l1Offset);
  header.writeBigUInt64BE(BigInt(places.refcountOffset), AT.refcountOffset);
  header.writeUInt32BE(places.refcountClusters, AT.refcountClusters);
  return header;
}

/** What a cluster of the guest is. */
export type Cluster =
  | { readonly kind: 'none' }
  /** All zeros, and nowhere in the file. */
  | { readonly kind: 'zero' }
  | { readonly kind: 'plain'; readonly offset: number }
  /** Its bytes begin at `offset`, and end before `end`, which is the end of a sector. */
  | { readonly kind: 'compressed'; readonly offset: number; readonly end: number };

/** High bits of an entry. */
const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;

/** Offset of a table in an entry of the first level; 0 where there is none. */
export function tableOffset(table: Buffer, index: number): number {
  const high = table.readUInt32BE(index * ENTRY_BYTES) & 0x00ff_ffff;
  return high * UINT32 + sectorsOf(table.readUInt32BE(index * ENTRY_BYTES + 4));
}

/** The entry of the second level. */
export function clusterAt(table: Buffer, index: number): Cluster {
  const high = table.readUInt32BE(index * ENTRY_BYTES);
  const low = table.readUInt32BE(index * ENTRY_BYTES + 4);
  if ((high & COMPRESSED) !== 0) {
    // 54 bits of offset, then 8 of further sectors.
    const offset = (high & 0x3f_ffff) * UINT32 + low;
    const sectors = ((high >>> 22) & 0xff) + 1;
    return { kind: 'compressed', offset, end: roundDown(offset) + sectors * SECTOR_BYTES };
  }
  const offset = (high & 0x00ff_ffff) * UINT32 + sectorsOf(low);
  if ((low & 1) !== 0) {
    return { kind: 'zero' };
  }
  return offset === 0 ? { kind: 'none' } : { kind: 'plain', offset };
}

/** Says where a table, or a cluster as it is, lies; nothing else refers to it. */
export function putOffset(table: Buffer, index: number, offset: number): void {
  table.writeUInt32BE((COPIED | Math.floor(offset / UINT32)) >>> 0, index * ENTRY_BYTES);
  table.writeUInt32BE(offset % UINT32, index * ENTRY_BYTES + 4);
}

/** Says where the bytes of a compressed cluster lie. */
export function putCompressed(
  table: Buffer,
  index: number,
  [from, to]: readonly [number, number],
): void {
  const sectors = (roundDown(to - 1) - roundDown(from)) / SECTOR_BYTES;
  const high = COMPRESSED | (sectors << 22) | Math.floor(from / UINT32);
  table.writeUInt32BE(high >>> 0, index * ENTRY_BYTES);
  table.writeUInt32BE(from % UINT32, index * ENTRY_BYTES + 4);
}

/** The clusters of the file that bytes are in, as numbers: each has a reference for it. */
export function clustersOf([from, to]: readonly [number, number]): readonly number[] {
  const first = Math.floor(from / CLUSTER_BYTES);
  const last = Math.floor((to - 1) / CLUSTER_BYTES);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** How many clusters the counts of all clusters take, their own included: the table, and its blocks. */
export function refcountClusters(others: number): {
  readonly table: number;
  readonly blocks: number;
} {
  for (let blocks = 1; ; blocks += 1) {
    const table = Math.ceil(blocks / ENTRIES_PER_TABLE);
    if (blocks * REFCOUNTS_PER_BLOCK >= others + table + blocks) {
      return { table, blocks };
    }
  }
}

function roundDown(offset: number): number {
  return offset - (offset % SECTOR_BYTES);
}

function sectorsOf(low: number): number {
  return (low & ~(SECTOR_BYTES - 1)) >>> 0;
}
