/** Which programs read an archive, the fastest first. Pure. */
import type { ArchiveFormat } from './archive-format.ts';

/** A program that writes the tar inside its standard input to its standard output. */
export type Decompressor = readonly [tool: string, ...args: string[]];

/** Who takes the tar out of an archive: nobody where it is one, Node's zlib, or a program. */
export type Decompression = 'none' | 'zlib' | Decompressor;

/**
 * For each compression, everything that will do. Zero threads are as many as there are cores; xz
 * needs an archive of several blocks for that, and does the others with one.
 *
 * Measured with 500 MB: gzip takes 3.4 s of processor time, pigz 2.7 s, for it too inflates in one thread;
 * Node's zlib, which uses the processor's vectors, 1.2 s. zstd refuses windows over 128 MiB unless told
 * otherwise.
 */
const DECOMPRESSIONS: Readonly<Record<ArchiveFormat, readonly Decompression[]>> = {
  tar: ['none'],
  gzip: ['zlib'],
  xz: [
    ['xz', '-dc', '-T0'],
    ['pixz', '-d'],
  ],
  zstd: [['zstd', '-dcq', '-T0', '--long=31']],
  bzip2: [
    ['lbzip2', '-dc'],
    ['pbzip2', '-dc'],
    ['bzip2', '-dc'],
  ],
  // It is no stream: unsquashfs reads it where it is.
  squashfs: ['none'],
};

/** What would do for a format, best first. */
export function decompressionsOf(format: ArchiveFormat): readonly Decompression[] {
  return DECOMPRESSIONS[format];
}

/** The Debian-like, Red Hat-like and SUSE name of the package that reads a format. */
const PACKAGES: Readonly<Record<ArchiveFormat, string>> = {
  tar: 'tar',
  gzip: 'nodejs',
  xz: 'xz-utils or xz',
  zstd: 'zstd',
  bzip2: 'bzip2',
  squashfs: 'squashfs-tools',
};

/** The package to install where nothing reads a format. */
export function packageFor(format: ArchiveFormat): string {
  return PACKAGES[format];
}

/**
 * GNU tar's arguments to put what it reads into `/target`, as the archive has it: numeric owners,
 * modes, ACLs and xattrs such as capabilities. Not SELinux labels: those are of another policy.
 *
 * With `--block-number` tar says how the archive ended; see `judgeExtraction`. It reads and writes 256 KiB at
 * once, which takes three quarters of the processor time of its own 10 KiB (measured).
 */
export const TAR_ARGUMENTS: readonly string[] = [
  '--extract',
  '--file=-',
  '--no-seek',
  '--blocking-factor=512',
  '--directory=/target',
  '--block-number',
  '--numeric-owner',
  '--same-owner',
  '--preserve-permissions',
  '--acls',
  '--xattrs',
  '--xattrs-include=*',
  '--xattrs-exclude=security.selinux',
  '--warning=no-timestamp',
  '--warning=no-unknown-keyword',
];

/**
 * unsquashfs's arguments to put `/input` into `/target`. Without /sys it sees one core only. Strict, it
 * ends at the first thing that goes wrong; that it cannot make a device node must not be that.
 */
export function unsquashfsArguments(processors: number, strict: boolean): readonly string[] {
  return [
    '-force',
    '-no-progress',
    ...(strict ? ['-strict-errors'] : []),
    '-xattrs',
    ...['-processors', String(processors)],
    ...['-dest', '/target', '/input'],
  ];
}
