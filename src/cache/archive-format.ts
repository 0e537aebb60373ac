/** What an archive of a root file system is, told by its first bytes and never by its name. Pure. */

/** How the members are stored; a tar is `stream`, after the compression named here. */
export type ArchiveFormat = 'tar' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'squashfs';

/** As many bytes as `identifyArchive` looks at: one block of a tar. */
export const HEAD_BYTES = 512;

/** Source: RFC 1952; xz-file-format.txt 2.1.1.1; RFC 8878 3.1.1; bzip2(1); squashfs_fs.h; POSIX ustar. */
const MAGICS: readonly { format: ArchiveFormat; offset: number; bytes: string }[] = [
  { format: 'gzip', offset: 0, bytes: '\x1f\x8b' },
  { format: 'xz', offset: 0, bytes: '\xfd7zXZ\0' },
  { format: 'zstd', offset: 0, bytes: '\x28\xb5\x2f\xfd' },
  { format: 'bzip2', offset: 0, bytes: 'BZh' },
  { format: 'squashfs', offset: 0, bytes: 'hsqs' },
  { format: 'tar', offset: 257, bytes: 'ustar' },
];

/** What people hand us by mistake, and what a server sends instead of what was asked for. */
const STRANGERS: readonly { readonly starts: string; readonly what: string }[] = [
  { starts: '<', what: 'it is a web page' },
  { starts: 'QFI\xfb', what: 'it is a disk image (qcow2)' },
  { starts: 'PK\x03\x04', what: 'it is a zip archive' },
  { starts: '070701', what: 'it is a cpio archive' },
];

/** The format, or undefined for what is none. A tar older than ustar is known by its checksum. */
export function identifyArchive(head: Uint8Array): ArchiveFormat | undefined {
  const text = Buffer.from(head).toString('latin1');
  const found = MAGICS.find(({ offset, bytes }) => text.startsWith(bytes, offset));
  return found?.format ?? (isTarHeader(head) ? 'tar' : undefined);
}

/** Why something is no archive: "it is a web page". */
export function describeStranger(head: Uint8Array): string {
  if (head.length === 0) {
    return 'it is empty';
  }
  const text = Buffer.from(head).toString('latin1').trimStart();
  return (
    STRANGERS.find(({ starts }) => text.startsWith(starts))?.what ??
    'it begins like no tar, gzip, xz, zstd, bzip2 or squashfs'
  );
}

/** The checksum counts its own eight bytes as blanks. Source: POSIX ustar, chksum. */
function isTarHeader(head: Uint8Array): boolean {
  const block = Buffer.from(head.subarray(0, HEAD_BYTES));
  if (block.length < HEAD_BYTES || block[0] === 0) {
    return false;
  }
  const field = block.toString('latin1', 148, 156);
  const stated = /^ *([0-7]+)[ \0]*$/.exec(field)?.[1];
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  return stated !== undefined && Number.parseInt(stated, 8) === sum;
}
