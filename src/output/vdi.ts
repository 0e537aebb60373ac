/**
 * The identity of a VDI: qemu-img draws the UUIDs of the image and of its last snapshot.
 * Source: QEMU, block/vdi.c, `VdiHeader`.
 */
import type { Patch } from './patch-image.ts';

const SIGNATURE_AT = 0x40;
const SIGNATURE = 0xbeda107f;

export const patchVdi: Patch = async (image, { identifiers }) => {
  const header = await image.read(0, 512);
  if (header.readUInt32LE(SIGNATURE_AT) !== SIGNATURE) {
    throw new Error('A VDI without a header');
  }
  header.write(identifiers('vdi').replaceAll('-', ''), 0x188, 'hex');
  header.write(identifiers('vdi snapshot').replaceAll('-', ''), 0x198, 'hex');
  await image.write(0, header);
};
