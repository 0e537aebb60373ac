/**
 * Identifiers of disks, partitions and file systems.
 */
import { createHash } from 'node:crypto';

/** A UUID for a purpose; the same one for the same purpose. */
export type Identifiers = (purpose: string) => string;

/**
 * UUIDs derived from a seed: a digest of the build's inputs makes them reproducible, a random seed
 * makes them random, and either way they can be asked for before the disk exists.
 */
export function identifiersFrom(seed: string): Identifiers {
  return (purpose) => {
    const digest = createHash('sha256').update(`${seed}\0${purpose}`).digest();
    // RFC 9562: version 8 is for UUIDs of one's own making; variant 0b10.
    digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
    digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
    const hex = digest.toString('hex', 0, 16);
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20),
    ].join('-');
  };
}

/** The UUID of a file system, unless its configuration names one. */
export function fileSystemUuid(
  spec: { readonly name: string; readonly uuid?: string },
  identifiers: Identifiers,
): string {
  return spec.uuid ?? identifiers(`file-system ${spec.name}`);
}
