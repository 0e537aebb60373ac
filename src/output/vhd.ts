/**
 * The identity of a VHD: qemu-img writes the time of day and a random UUID into the footer and its copy.
 * Source: Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format". Numbers are
 * big-endian.
 */
import type { Patch } from './patch-image.ts';

const FOOTER_BYTES = 512;
const CHECKSUM_AT = 64;

/** Seconds from 1970 to 2000, where a VHD's time begins. */
const EPOCH_2000 = 946_684_800;

/** The copy of the footer at the start, and the footer at the end. */
export const patchVhd: Patch = async (image, { identifiers, sourceDate }) => {
  for (const at of [0, image.sizeBytes - FOOTER_BYTES]) {
    const footer = await image.read(at, FOOTER_BYTES);
    if (footer.toString('latin1', 0, 8) !== 'conectix') {
      throw new Error('A VHD without a footer');
    }
    footer.writeUInt32BE(Math.max(0, sourceDate - EPOCH_2000) >>> 0, 24);
    footer.write(identifiers('vhd').replaceAll('-', ''), 68, 'hex');
    footer.writeUInt32BE(0, CHECKSUM_AT);
    const sum = footer.reduce((total, byte) => total + byte, 0);
    footer.writeUInt32BE(~sum >>> 0, CHECKSUM_AT);
    await image.write(at, footer);
  }
};
