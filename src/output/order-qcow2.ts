/**
 * Puts the clusters of a qcow2 into the order of the disk.
 *
 * qemu-img compresses on all cores only when it may write clusters as they come, and they come in another
 * order each time. What is in them is the same, so putting them in order gives the same file every time, for
 * a fraction of what one core would take to compress them.
 *
 *     header | first table | second tables | clusters as they are | compressed ones, packed | counts
 *
 * They are moved within the file: everything goes only a little further back than it was, by as much as what comes
 * before the compressed ones, which is in memory meanwhile. Where that would be too much, they go into another file.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { type Extent, FileBlocks, PieceWriter, readFully, writeAt } from './file-blocks.ts';
import {
  CLUSTER_BYTES,
  type Cluster,
  clusterAt,
  clustersOf,
  ENTRIES_PER_TABLE,
  parseHeader,
  putCompressed,
  putOffset,
  type Qcow2Header,
  REFCOUNTS_PER_BLOCK,
  refcountClusters,
  tableOffset,
  withPlaces,
} from './qcow2-tables.ts';
import { zstdFrameBytes } from './zstd-frame.ts';

/** Of what is moved to the front, in memory. Kernels, initramfs and fonts of a small system are 50 MB that do not compress. */
const MOST_IN_MEMORY = 64 << 20;

/**
 * Puts `file` in order; false, and nothing is done, when it is another kind of qcow2 than we know. Needs room for
 * another one beside it only where more than `mostInMemory` bytes do not compress. When this fails, or is
 * stopped, the file is no image any more.
 */
export async function orderQcow2(
  file: string,
  context: Pick<Context, 'signal'>,
  mostInMemory: number = MOST_IN_MEMORY,
): Promise<boolean> {
  const from = await open(file, 'r+');
  try {
    const first = await readFully(from, Buffer.alloc(CLUSTER_BYTES), 0);
    const header = parseHeader(first);
    if (header === undefined) {
      return false;
    }
    const old = await readTables(from, first, header);
    if (old.packedAt <= mostInMemory) {
      await moveInOrder(old, { from, to: from }, context);
      return true;
    }
    const fresh = `${file}.ordered`;
    const to = await open(fresh, 'wx');
    try {
      await moveInOrder(old, { from, to }, context);
    } finally {
      await to.close();
    }
    await rename(fresh, file);
    return true;
  } finally {
    await from.close();
  }
}

/** What a file says of its clusters, and where they will be. */
interface OldFile {
  readonly first: Buffer;
  readonly l1: Buffer;
  readonly tables: readonly Table[];
  readonly tablesAt: number;
  readonly plainAt: number;
  readonly packedAt: number;
}

interface Table {
  /** In the first table. */
  readonly index: number;
  readonly old: Buffer;
  readonly fresh: Buffer;
}

async function readTables(
  from: FileHandle,
  first: Buffer,
  { l1Size, l1Offset }: Qcow2Header,
): Promise<OldFile> {
  const l1 = await readFully(from, Buffer.alloc(l1Size * 8), l1Offset);
  const tables: Table[] = [];
  for (let index = 0; index < l1Size; index += 1) {
    const offset = tableOffset(l1, index);
    if (offset !== 0) {
      const old = await readFully(from, Buffer.alloc(CLUSTER_BYTES), offset);
      tables.push({ index, old, fresh: Buffer.alloc(CLUSTER_BYTES) });
    }
  }
  const tablesAt = CLUSTER_BYTES * (1 + Math.max(1, Math.ceil(l1.length / CLUSTER_BYTES)));
  const plainAt = tablesAt + CLUSTER_BYTES * tables.length;
  const plain = tables.reduce((sum, table) => sum + plainIn(table), 0);
  return { first, l1, tables, tablesAt, plainAt, packedAt: plainAt + CLUSTER_BYTES * plain };
}

async function moveInOrder(
  old: OldFile,
  { from, to }: { readonly from: FileHandle; readonly to: FileHandle },
  { signal }: Pick<Context, 'signal'>,
): Promise<void> {
  const { tables, tablesAt, plainAt, packedAt } = old;
  const blocks = new FileBlocks(from, extentsOf(tables));
  const move = new Move(blocks, { plainAt, packedAt, isSame: from === to }, to);
  for (const table of tables) {
    signal.throwIfAborted();
    await move.table(table);
  }
  const references = await move.end();
  for (const [number, { index, fresh }] of tables.entries()) {
    const offset = tablesAt + CLUSTER_BYTES * number;
    await writeAt(to, fresh, offset);
    putOffset(old.l1, index, offset);
  }
  const { endsAt, ...places } = await writeCounts(to, references);
  // To the ends of their clusters: what was there before is another time's.
  await writeAt(to, Buffer.concat([old.l1], tablesAt - CLUSTER_BYTES), CLUSTER_BYTES);
  await writeAt(to, withPlaces(old.first, { l1Offset: CLUSTER_BYTES, ...places }), 0);
  await to.truncate(endsAt);
}

function plainIn({ old }: Table): number {
  let count = 0;
  for (let index = 0; index < ENTRIES_PER_TABLE; index += 1) {
    count += clusterAt(old, index).kind === 'plain' ? 1 : 0;
  }
  return count;
}

/** Where the content of a cluster is, in the old file. */
function extentOf(cluster: Cluster): Extent | undefined {
  switch (cluster.kind) {
    case 'plain':
      return [cluster.offset, cluster.offset + CLUSTER_BYTES];
    case 'compressed':
      return [cluster.offset, cluster.end];
    case 'zero':
    case 'none':
      return undefined;
  }
}

function* extentsOf(tables: readonly Table[]): Iterable<Extent> {
  for (const { old } of tables) {
    for (let index = 0; index < ENTRIES_PER_TABLE; index += 1) {
      const extent = extentOf(clusterAt(old, index));
      if (extent !== undefined) {
        yield extent;
      }
    }
  }
}

/** The clusters' way into their places, and how often each cluster of the file is referred to. */
class Move {
  readonly #to: FileHandle;
  readonly #blocks: FileBlocks;
  readonly #plain: PieceWriter;
  readonly #packed: PieceWriter;
  /** Of what is before the packed ones: once each. */
  readonly #references: number[];

  constructor(
    blocks: FileBlocks,
    at: { readonly plainAt: number; readonly packedAt: number; readonly isSame: boolean },
    to: FileHandle,
  ) {
    const secure = async (end: number): Promise<void> => {
      await (at.isSame ? blocks.secure(end) : undefined);
    };
    this.#to = to;
    this.#blocks = blocks;
    this.#plain = new PieceWriter(to, at.plainAt, secure);
    this.#packed = new PieceWriter(to, at.packedAt, secure);
    this.#references = Array.from({ length: at.packedAt / CLUSTER_BYTES }, () => 1);
  }

  async table({ old, fresh }: Table): Promise<void> {
    for (let index = 0; index < ENTRIES_PER_TABLE; index += 1) {
      const cluster = clusterAt(old, index);
      const extent = extentOf(cluster);
      if (cluster.kind === 'zero') {
        fresh.writeUInt32BE(1, index * 8 + 4);
      }
      if (extent === undefined) {
        continue;
      }
      const isPlain = cluster.kind === 'plain';
      const writer = isPlain ? this.#plain : this.#packed;
      if (!writer.hasRoom(extent[1] - extent[0])) {
        await writer.flush();
      }
      await this.#blocks.take(extent, (bytes) => {
        if (isPlain) {
          putOffset(fresh, index, this.#plain.position);
          this.#plain.put(bytes);
        } else {
          putCompressed(fresh, index, this.#pack(bytes.subarray(0, zstdFrameBytes(bytes))));
        }
      });
    }
  }

  /** Where the bytes will be: behind the last ones. */
  #pack(bytes: Buffer): Extent {
    const from = this.#packed.position;
    const extent = [from, from + bytes.length] as const;
    for (const cluster of clustersOf(extent)) {
      this.#references[cluster] = (this.#references[cluster] ?? 0) + 1;
    }
    this.#packed.put(bytes);
    return extent;
  }

  /** How often each cluster of the file so far is referred to. */
  async end(): Promise<readonly number[]> {
    await this.#plain.end();
    await this.#packed.end();
    const rest = this.#references.length * CLUSTER_BYTES - this.#packed.position;
    await writeAt(this.#to, Buffer.alloc(rest), this.#packed.position);
    return this.#references;
  }
}

/** Writes the counts behind all else; themselves included. */
async function writeCounts(
  to: FileHandle,
  references: readonly number[],
): Promise<{
  readonly refcountOffset: number;
  readonly refcountClusters: number;
  readonly endsAt: number;
}> {
  const { table, blocks } = refcountClusters(references.length);
  const refcountOffset = references.length * CLUSTER_BYTES;
  const blocksAt = refcountOffset + table * CLUSTER_BYTES;
  const bytes = Buffer.alloc((table + blocks) * CLUSTER_BYTES);
  for (let block = 0; block < blocks; block += 1) {
    bytes.writeBigUInt64BE(BigInt(blocksAt + block * CLUSTER_BYTES), block * 8);
  }
  const counts = bytes.subarray(table * CLUSTER_BYTES);
  for (let cluster = 0; cluster < references.length + table + blocks; cluster += 1) {
    counts.writeUInt16BE(references[cluster] ?? 1, cluster * (CLUSTER_BYTES / REFCOUNTS_PER_BLOCK));
  }
  await writeAt(to, bytes, refcountOffset);
  return { refcountOffset, refcountClusters: table, endsAt: refcountOffset + bytes.length };
}
