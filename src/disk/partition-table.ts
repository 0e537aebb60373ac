/**
 * A partition table as bytes, for sectors of any size: sfdisk takes a plain file's sectors for 512 bytes.
 *
 *     MBR   sector 0: disk id, four entries; an EBR in front of each logical partition
 *     GPT   sector 0: protective MBR; sector 1: header; then 16 KiB of entries; both again at the end
 *
 * Source: UEFI 2.10, 5.2 and 5.3; what sfdisk writes for sectors of 512 bytes, to which a test holds it.
 */
import { crc32 } from 'node:zlib';
import type { ByteWrite } from './boot-code.ts';
import type { IdentifiedPartition, ImageLayout } from './layout.ts';

/** What is to be written to an image that is all zeros; nothing without a label. */
export function tableWrites(image: ImageLayout): ByteWrite[] {
  switch (image.label) {
    case 'none':
      return [];
    case 'mbr':
      return mbrWrites(image);
    case 'gpt':
      return gptWrites(image);
  }
}

/** In a boot record. The boot code before them belongs to somebody else. */
const DISK_ID_OFFSET = 440;
const ENTRIES_OFFSET = 446;
const ENTRY_BYTES = 16;
const RECORD_BYTES = 512;

interface RecordEntry {
  readonly slot: number;
  readonly type: number;
  readonly bootable?: boolean;
  /** As the entry has it: relative to the disk, or to an EBR. */
  readonly start: number;
  /** On the disk, for the old kind of address. */
  readonly startSector: number;
  readonly sectors: number;
}

const EXTENDED_LINK_TYPE = 0x05;

function mbrWrites({ diskId, sectorBytes, partitions }: ImageLayout): ByteWrite[] {
  const logicals = partitions.filter(({ role }) => role === 'logical');
  const extended = partitions.find(({ role }) => role === 'extended');
  const main = record(
    partitions
      .filter(({ role }) => role !== 'logical')
      .map((one) => ({ ...entryOf(one), slot: one.index - 1 })),
  );
  const id = Buffer.alloc(4);
  id.writeUInt32LE(Number(diskId));
  const links = logicals.map((logical, index) => {
    const ebr = logical.ebrSector ?? 0;
    const next = logicals[index + 1];
    const entries: RecordEntry[] = [{ ...entryOf(logical), start: logical.startSector - ebr }];
    if (next?.ebrSector !== undefined) {
      entries.push({
        slot: 1,
        type: EXTENDED_LINK_TYPE,
        start: next.ebrSector - (extended?.startSector ?? 0),
        startSector: next.ebrSector,
        sectors: next.startSector + next.sectors - next.ebrSector,
      });
    }
    return { offsetBytes: ebr * sectorBytes + ENTRIES_OFFSET, bytes: record(entries) };
  });
  return [
    { offsetBytes: DISK_ID_OFFSET, bytes: id },
    { offsetBytes: ENTRIES_OFFSET, bytes: main },
    ...links,
  ];
}

function entryOf(partition: IdentifiedPartition): RecordEntry {
  const { startSector, sectors, bootable } = partition;
  const type = Number.parseInt(partition.type, 16);
  return { slot: 0, type, bootable, start: startSector, startSector, sectors };
}

/** The four entries and the signature behind them. */
function record(entries: readonly RecordEntry[]): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES - ENTRIES_OFFSET);
  for (const { slot, type, bootable, start, startSector, sectors } of entries) {
    const at = slot * ENTRY_BYTES;
    bytes.writeUInt8(bootable === true ? 0x80 : 0, at);
    bytes.set(oldAddress(startSector), at + 1);
    bytes.writeUInt8(type, at + 4);
    bytes.set(oldAddress(startSector + sectors - 1), at + 5);
    bytes.writeUInt32LE(start, at + 8);
    bytes.writeUInt32LE(sectors, at + 12);
  }
  bytes.writeUInt16LE(0xaa55, bytes.length - 2);
  return bytes;
}

/** Head, sector and cylinder of a disk as BIOSes make them up; the last one for what lies beyond. */
function oldAddress(sector: number): Buffer {
  const [heads, perTrack] = [255, 63];
  const cylinder = Math.floor(sector / (heads * perTrack));
  if (cylinder > 1023) {
    return Buffer.from([0xfe, 0xff, 0xff]);
  }
  const head = Math.floor(sector / perTrack) % heads;
  return Buffer.from([head, (sector % perTrack) + 1 + ((cylinder >> 8) << 6), cylinder & 0xff]);
}

const GPT_ENTRIES = 128;
const GPT_ENTRY_BYTES = 128;
const GPT_ENTRIES_BYTES = GPT_ENTRIES * GPT_ENTRY_BYTES;
const GPT_HEADER_BYTES = 92;
/** Compat: sfdisk's and sgdisk's. A partition may start here at the earliest. */
const FIRST_USABLE_BYTES = 2 ** 20;

function gptWrites(image: ImageLayout): ByteWrite[] {
  const { sectorBytes, sizeBytes, partitions } = image;
  const last = sizeBytes / sectorBytes - 1;
  const entriesSectors = GPT_ENTRIES_BYTES / sectorBytes;
  const entries = Buffer.alloc(GPT_ENTRIES_BYTES);
  for (const partition of partitions) {
    entries.set(gptEntry(partition), (partition.index - 1) * GPT_ENTRY_BYTES);
  }
  const header = (own: number, other: number, firstOfEntries: number): Buffer =>
    gptHeader(image, {
      own,
      other,
      firstOfEntries,
      entries,
      lastUsable: last - entriesSectors - 1,
    });
  return [
    { offsetBytes: ENTRIES_OFFSET, bytes: protectiveRecord(last) },
    { offsetBytes: sectorBytes, bytes: header(1, last, 2) },
    { offsetBytes: 2 * sectorBytes, bytes: entries },
    { offsetBytes: (last - entriesSectors) * sectorBytes, bytes: entries },
    { offsetBytes: last * sectorBytes, bytes: header(last, 1, last - entriesSectors) },
  ];
}

function protectiveRecord(last: number): Buffer {
  const sectors = Math.min(last, 2 ** 32 - 1);
  const bytes = record([{ slot: 0, type: 0xee, start: 1, startSector: 1, sectors }]);
  // UEFI names the end so, however large the disk is.
  bytes.fill(0xff, 5, 8);
  return bytes;
}

interface GptPlaces {
  readonly own: number;
  readonly other: number;
  readonly firstOfEntries: number;
  readonly lastUsable: number;
  readonly entries: Buffer;
}

function gptHeader({ diskId, sectorBytes }: ImageLayout, places: GptPlaces): Buffer {
  const header = Buffer.alloc(GPT_HEADER_BYTES);
  header.write('EFI PART', 0, 'latin1');
  header.writeUInt32LE(0x00010000, 8);
  header.writeUInt32LE(GPT_HEADER_BYTES, 12);
  const sectors = [places.own, places.other, FIRST_USABLE_BYTES / sectorBytes, places.lastUsable];
  for (const [index, sector] of sectors.entries()) {
    header.writeBigUInt64LE(BigInt(sector), 24 + index * 8);
  }
  header.set(guidBytes(diskId), 56);
  header.writeBigUInt64LE(BigInt(places.firstOfEntries), 72);
  header.writeUInt32LE(GPT_ENTRIES, 80);
  header.writeUInt32LE(GPT_ENTRY_BYTES, 84);
  header.writeUInt32LE(crc32(places.entries), 88);
  header.writeUInt32LE(crc32(header), 16);
  return header;
}

function gptEntry({ type, uuid, startSector, sectors, name }: IdentifiedPartition): Buffer {
  const entry = Buffer.alloc(GPT_ENTRY_BYTES);
  entry.set(guidBytes(type), 0);
  entry.set(guidBytes(uuid ?? ''), 16);
  entry.writeBigUInt64LE(BigInt(startSector), 32);
  entry.writeBigUInt64LE(BigInt(startSector + sectors - 1), 40);
  entry.write(name, 56, 'utf16le');
  return entry;
}

/** The first three groups of a GUID have their bytes in the order of little-endian numbers. */
function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const swapped = [a, b, c].map((group) => Buffer.from(group, 'hex').reverse());
  return Buffer.concat([...swapped, Buffer.from(rest.join(''), 'hex')]);
}
