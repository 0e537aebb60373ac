/**
 * Puts the clusters of a qcow2 into the order of the disk.
 *
 * qemu-img compresses on all cores only when it may write clusters as they come, and they come in another
 * order each time. What is in them is the same, so copying them in order gives the same file every time, for
 * a fraction of what one core would take to compress them.
 *
 *     header | first table | second tables | clusters as they are | compressed ones, packed | counts
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import {
  CLUSTER_BYTES,
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

/**
 * Replaces `file`, beside which there must be room for another; false, and nothing is done, when it is another
 * kind of qcow2 than we know.
 */
export async function orderQcow2(file: string, context: Pick<Context, 'signal'>): Promise<boolean> {
  const fresh = `${file}.ordered`;
  const from = await open(file, 'r');
  try {
    const source = new Window(from);
    const first = Buffer.from(await source.read(0, CLUSTER_BYTES));
    const header = parseHeader(first);
    if (header === undefined) {
      return false;
    }
    const to = await open(fresh, 'wx');
    try {
      await copyInOrder({ source, first, header }, to, context);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await rename(fresh, file);
  return true;
}

async function copyInOrder(
  { source, first, header }: { source: Window; first: Buffer; header: Qcow2Header },
  to: FileHandle,
  { signal }: Pick<Context, 'signal'>,
): Promise<void> {
  const { l1Size, l1Offset } = header;
  const l1 = Buffer.from(await source.read(l1Offset, l1Size * 8));
  const tables: Table[] = [];
  for (let index = 0; index < l1Size; index += 1) {
    const offset = tableOffset(l1, index);
    if (offset !== 0) {
      const old = Buffer.from(await source.read(offset, CLUSTER_BYTES));
      tables.push({ index, old, fresh: Buffer.alloc(CLUSTER_BYTES) });
    }
  }
  const l1Clusters = Math.max(1, Math.ceil(l1.length / CLUSTER_BYTES));
  const tablesAt = CLUSTER_BYTES * (1 + l1Clusters);
  const plainAt = tablesAt + CLUSTER_BYTES * tables.length;
  const copy = new Copy(source, to, {
    plainAt,
    packedAt: plainAt + CLUSTER_BYTES * tables.reduce((sum, table) => sum + plainIn(table), 0),
  });
  for (const [number, table] of tables.entries()) {
    signal.throwIfAborted();
    await copy.table(table);
    const offset = tablesAt + CLUSTER_BYTES * number;
    await writeAt(to, table.fresh, offset);
    putOffset(l1, table.index, offset);
  }
  const references = await copy.end();
  const places = await writeCounts(to, references);
  await writeAt(to, l1, CLUSTER_BYTES);
  await writeAt(to, withPlaces(first, { l1Offset: CLUSTER_BYTES, ...places }), 0);
}

interface Table {
  /** In the first table. */
  readonly index: number;
  readonly old: Buffer;
  readonly fresh: Buffer;
}

function plainIn({ old }: Table): number {
  let count = 0;
  for (let index = 0; index < ENTRIES_PER_TABLE; index += 1) {
    count += clusterAt(old, index).kind === 'plain' ? 1 : 0;
  }
  return count;
}

/** The clusters' way into the new file, and how often each of its clusters is referred to. */
class Copy {
  readonly #source: Window;
  readonly #to: FileHandle;
  readonly #packed: Buffer[] = [];
  /** Of what is before the packed ones: once each. */
  readonly #references: number[];
  #plainAt: number;
  #packedAt: number;
  #writtenAt: number;

  constructor(
    source: Window,
    to: FileHandle,
    at: { readonly plainAt: number; readonly packedAt: number },
  ) {
    this.#source = source;
    this.#to = to;
    this.#plainAt = at.plainAt;
    this.#packedAt = at.packedAt;
    this.#writtenAt = at.packedAt;
    this.#references = Array.from({ length: at.packedAt / CLUSTER_BYTES }, () => 1);
  }

  async table({ old, fresh }: Table): Promise<void> {
    for (let index = 0; index < ENTRIES_PER_TABLE; index += 1) {
      const cluster = clusterAt(old, index);
      if (cluster.kind === 'zero') {
        fresh.writeUInt32BE(1, index * 8 + 4);
      } else if (cluster.kind === 'plain') {
        await writeAt(
          this.#to,
          await this.#source.read(cluster.offset, CLUSTER_BYTES),
          this.#plainAt,
        );
        putOffset(fresh, index, this.#plainAt);
        this.#plainAt += CLUSTER_BYTES;
      } else if (cluster.kind === 'compressed') {
        const { offset, end } = cluster;
        const bytes = await this.#source.read(offset, end - offset);
        putCompressed(fresh, index, await this.#pack(bytes.subarray(0, zstdFrameBytes(bytes))));
      }
    }
  }

  /** Where the bytes will be: behind the last ones. */
  async #pack(bytes: Buffer): Promise<readonly [number, number]> {
    const extent = [this.#packedAt, this.#packedAt + bytes.length] as const;
    for (const cluster of clustersOf(extent)) {
      this.#references[cluster] = (this.#references[cluster] ?? 0) + 1;
    }
    // A copy: the window moves on.
    this.#packed.push(Buffer.from(bytes));
    this.#packedAt += bytes.length;
    if (this.#packedAt - this.#writtenAt >= WRITE_BYTES) {
      await this.#flush();
    }
    return extent;
  }

  async #flush(): Promise<void> {
    await writeAt(this.#to, Buffer.concat(this.#packed), this.#writtenAt);
    this.#packed.length = 0;
    this.#writtenAt = this.#packedAt;
  }

  /** How often each cluster of the file so far is referred to. */
  async end(): Promise<readonly number[]> {
    await this.#flush();
    return this.#references;
  }
}

/** Writes the counts behind all else; themselves included. */
async function writeCounts(
  to: FileHandle,
  references: readonly number[],
): Promise<{ readonly refcountOffset: number; readonly refcountClusters: number }> {
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
  return { refcountOffset, refcountClusters: table };
}

const WRITE_BYTES = 4 << 20;
const WINDOW_BYTES = 4 << 20;
/** Clusters come at most so far out of order: 16 at a time are compressed. */
const BACK_BYTES = 1 << 20;

/** Reads nearly in order, in large pieces. */
class Window {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.alloc(WINDOW_BYTES);
  #from = 0;
  #length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Valid until the next one; shorter where the file ends. */
  async read(offset: number, length: number): Promise<Buffer> {
    if (offset < this.#from || offset + length > this.#from + this.#length) {
      if (length > WINDOW_BYTES - BACK_BYTES) {
        const { buffer, bytesRead } = await this.#file.read(
          Buffer.alloc(length),
          0,
          length,
          offset,
        );
        return buffer.subarray(0, bytesRead);
      }
      this.#from = Math.max(0, offset - BACK_BYTES);
      const { bytesRead } = await this.#file.read(this.#buffer, 0, WINDOW_BYTES, this.#from);
      this.#length = bytesRead;
    }
    const at = offset - this.#from;
    return this.#buffer.subarray(at, Math.min(at + length, this.#length));
  }
}

async function writeAt(to: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await to.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
