/**
 * The identity of a VMDK: qemu-img draws the content's identifier, `CID`, of the descriptor, which is text
 * near the start. Source: Virtual Disk Format 5.0, "The Disk Descriptor File".
 */
import type { Patch } from './patch-image.ts';

/** The descriptor begins behind the header, which is one sector, and is not longer than this. */
const DESCRIPTOR_BYTES = 20 * 512;

export const patchVmdk: Patch = async (image, { identifiers }) => {
  const descriptor = await image.read(512, DESCRIPTOR_BYTES);
  const text = descriptor.toString('latin1').replace(/\0.*$/s, '');
  const id = identifiers('vmdk').slice(0, 8);
  // As many digits as the drawn number happened to have.
  const changed = text.replace(/\nCID=[0-9a-f]{1,8}\n/, `\nCID=${id}\n`);
  if (!changed.includes(`\nCID=${id}\n`)) {
    throw new Error('A VMDK whose descriptor has no CID');
  }
  descriptor.fill(0);
  descriptor.write(changed, 'latin1');
  await image.write(512, descriptor);
};
