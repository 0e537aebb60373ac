/**
 * The identity of a VHDX: qemu-img draws the GUIDs of the last writes, in both headers, the number with
 * which these begin to count, what is in the log, and the GUID of the virtual disk, in the metadata. Source: [MS-VHDX] 2.2.2 "Headers", 2.2.3 "Region Table", 2.6 "Metadata
 * Region". Numbers are little-endian.
 */
import { CRC32C_START, crc32c } from '../cache/crc32c.ts';
import type { Patch, PatchedImage } from './patch-image.ts';

const KIB = 1024;
const HEADER_BYTES = 4 * KIB;
const HEADERS_AT = [64 * KIB, 128 * KIB];
const REGION_TABLE_AT = 192 * KIB;

const METADATA_REGION = '8B7CA206-4790-4B9A-B8FE-575F050F886E';
const VIRTUAL_DISK_ID = 'BECA12AB-B2E6-4523-93EF-C309E000C746';

export const patchVhdx: Patch = async (image, { identifiers }) => {
  const headers = await Promise.all(
    HEADERS_AT.map(async (at) => ({ at, header: await image.read(at, HEADER_BYTES) })),
  );
  if (headers.some(({ header }) => header.toString('latin1', 0, 4) !== 'head')) {
    throw new Error('A VHDX without a header');
  }
  // The header that counts is the one with the higher number; qemu-img begins at a random one.
  headers.sort((a, b) => (sequenceOf(a.header) < sequenceOf(b.header) ? -1 : 1));
  for (const [index, { at, header }] of headers.entries()) {
    header.writeBigUInt64LE(BigInt(index + 1), 8);
    guid(identifiers('vhdx file')).copy(header, 16);
    guid(identifiers('vhdx data')).copy(header, 32);
    header.writeUInt32LE(0, 4);
    header.writeUInt32LE(~crc32c(header, CRC32C_START) >>> 0, 4);
    await image.write(at, header);
  }
  await eraseLog(image, headers[1]?.header);
  const region = await findEntry(
    image,
    { at: REGION_TABLE_AT, countAt: 8, firstAt: 16 },
    METADATA_REGION,
  );
  const metadataAt = Number(region.readBigUInt64LE(16));
  const item = await findEntry(
    image,
    { at: metadataAt, countAt: 10, firstAt: 32 },
    VIRTUAL_DISK_ID,
  );
  await image.write(metadataAt + item.readUInt32LE(16), guid(identifiers('vhdx disk')));
};

/** What is left in a log that nobody has to replay: the header names none that is open. */
async function eraseLog(image: PatchedImage, header: Buffer | undefined): Promise<void> {
  if (header?.subarray(48, 64).every((byte) => byte === 0)) {
    const at = Number(header.readBigUInt64LE(72));
    await image.write(at, Buffer.alloc(header.readUInt32LE(68)));
  }
}

function sequenceOf(header: Buffer): bigint {
  return header.readBigUInt64LE(8);
}

/** Entries of both tables are 32 bytes long and begin with a GUID. */
async function findEntry(
  image: PatchedImage,
  table: { readonly at: number; readonly countAt: number; readonly firstAt: number },
  id: string,
): Promise<Buffer> {
  const bytes = await image.read(table.at, 64 * KIB);
  const wanted = guid(id);
  const count = bytes.readUInt16LE(table.countAt);
  for (let index = 0; index < count; index++) {
    const from = table.firstAt + index * 32;
    const entry = bytes.subarray(from, from + 32);
    if (entry.subarray(0, 16).equals(wanted)) {
      return entry;
    }
  }
  throw new Error(`A VHDX without an entry ${id}`);
}

/** A GUID's bytes: the first three fields are little-endian. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
