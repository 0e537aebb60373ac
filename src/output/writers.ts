/** How each format of `plan/formats.ts` is written: one row each. */
import { convertDisk } from './qemu-img.ts';
import type { Writer } from './writer.ts';

export const WRITERS: Readonly<Record<string, Writer>> = {
  tar: { kind: 'stream', of: 'archive' },
  tgz: { kind: 'stream', of: 'archive', through: ({ gzip }) => [gzip, '-9'] },
  qcow2: { kind: 'file', write: convertDisk('qcow2') },
  vmdk: { kind: 'file', write: convertDisk('vmdk') },
  vdi: { kind: 'file', write: convertDisk('vdi') },
  vhdx: { kind: 'file', write: convertDisk('vhdx') },
  raw: { kind: 'disk' },
};

/** The row of a type. Every row of the format table has one; a test holds it. */
export function writerOf(type: string): Writer {
  const writer = Object.hasOwn(WRITERS, type) ? WRITERS[type] : undefined;
  if (writer === undefined) {
    throw new Error(`No writer for the format ${type}`);
  }
  return writer;
}
