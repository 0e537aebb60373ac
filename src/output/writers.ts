/** How each format of `plan/formats.ts` is written: one row each. */
import type { ContainerFormat } from './container-image.ts';
import { convertDisk } from './qemu-img.ts';
import type { Writer } from './writer.ts';

export const WRITERS: Readonly<Record<string, Writer>> = {
  tar: { kind: 'stream', of: 'archive' },
  tgz: { kind: 'stream', of: 'archive', through: ({ gzip }) => [gzip, '-9'] },
  oci: { kind: 'file', write: containerImage('oci') },
  docker: { kind: 'file', write: containerImage('docker') },
  qcow2: { kind: 'file', write: convertDisk('qcow2') },
  vmdk: { kind: 'file', write: convertDisk('vmdk') },
  vdi: { kind: 'file', write: convertDisk('vdi') },
  vhdx: { kind: 'file', write: convertDisk('vhdx') },
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
