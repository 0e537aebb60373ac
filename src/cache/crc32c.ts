/**
 * CRC-32C (Castagnoli), reflected, without the inversion of the result, as ext4 uses it: the value of
 * one part is the start of the next. Source: Linux, lib/crc32.c; RFC 3720, appendix B.4.
 */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ POLYNOMIAL;
  }
  return value;
});

/** The start of a checksum that goes on nothing. */
export const CRC32C_START = 0xffffffff;

export function crc32c(bytes: Uint8Array, start: number): number {
  let value = start >>> 0;
  for (const byte of bytes) {
    value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] ?? 0);
  }
  return value >>> 0;
}
