/** How each format of `plan/formats.ts` is written: one row each. */
import { writeAci } from './aci.ts';
import { XZ_ARGV, ZSTD_ARGV } from './commands.ts';
import type { ContainerFormat } from './container-image.ts';
import { eraseGzipTime } from './gzip.ts';
import { convertDisk } from './qemu-img.ts';
import { squashInto } from './squashfs.ts';
import { patchVdi } from './vdi.ts';
import { patchVhd } from './vhd.ts';
import { patchVhdx } from './vhdx.ts';
import { patchVmdk } from './vmdk.ts';
import type { Writer } from './writer.ts';

export const WRITERS: Readonly<Record<string, Writer>> = {
  tar: { kind: 'stream', of: 'archive' },
  tgz: { kind: 'stream', of: 'archive', through: ({ gzip }) => [gzip, '-9'], head: eraseGzipTime },
  'tar.zst': { kind: 'stream', of: 'archive', through: () => ZSTD_ARGV },
  'tar.xz': { kind: 'stream', of: 'archive', through: () => XZ_ARGV },
  squashfs: { kind: 'stream', of: 'archive', into: squashInto },
  aci: { kind: 'file', write: writeAci },
  oci: { kind: 'file', write: containerImage('oci') },
  docker: { kind: 'file', write: containerImage('docker') },
  qcow2: { kind: 'file', write: convertDisk({ name: 'qcow2' }) },
  vmdk: { kind: 'file', write: convertDisk({ name: 'vmdk', patch: patchVmdk }) },
  vdi: { kind: 'file', write: convertDisk({ name: 'vdi', patch: patchVdi }) },
  vhdx: { kind: 'file', write: convertDisk({ name: 'vhdx', patch: patchVhdx }) },
  vhd: {
    kind: 'file',
    // Compat: grown as it is filled, and of exactly the disk's size.
    write: convertDisk({
      name: 'vpc',
      options: 'subformat=dynamic,force_size=on',
      patch: patchVhd,
    }),
  },
  'raw.zst': { kind: 'stream', of: 'disk', through: () => ZSTD_ARGV },
  'raw.xz': { kind: 'stream', of: 'disk', through: () => XZ_ARGV },
  raw: { kind: 'disk' },
};

/** Loaded when it is used: an image of a disk needs none of it. */
function containerImage(format: ContainerFormat): (Writer & { kind: 'file' })['write'] {
  return async ({ container }, file, context) => {
    if (container === undefined) {
      throw new Error(`No container to make ${format} from`);
    }
    const { writeContainerImage } = await import('./oci-image.ts');
    await writeContainerImage(container, { file, format }, context);
  };
}

/** The row of a type. Every row of the format table has one; a test holds it. */
export function writerOf(type: string): Writer {
  const writer = Object.hasOwn(WRITERS, type) ? WRITERS[type] : undefined;
  if (writer === undefined) {
    throw new Error(`No writer for the format ${type}`);
  }
  return writer;
}
