/** How long a zstd frame is, without decompressing it. Source: RFC 8878, 3.1.1. */

const MAGIC = 0xfd2fb528;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const CHECKSUM_BYTES = 4;
const RUN_LENGTH_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** Bytes of the frame at the start of `bytes`. @throws RangeError where there is none, or not all of it. */
export function zstdFrameBytes(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== MAGIC) {
    throw new RangeError('No zstd frame begins here');
  }
  const descriptor = bytes.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSize = descriptor >> 6;
  let at = 5;
  at += isSingleSegment ? 0 : 1;
  at += DICTIONARY_ID_BYTES[descriptor & 3] ?? 0;
  at += contentSize === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[contentSize] ?? 0);
  for (let isLast = false; !isLast; ) {
    const block = bytes.readUIntLE(at, 3);
    const type = (block >> 1) & 3;
    if (type === RESERVED_BLOCK) {
      throw new RangeError('A zstd block of a type that does not exist');
    }
    isLast = (block & 1) !== 0;
    at += 3 + (type === RUN_LENGTH_BLOCK ? 1 : block >> 3);
  }
  at += (descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES;
  if (at > bytes.length) {
    throw new RangeError('A zstd frame that goes on');
  }
  return at;
}
