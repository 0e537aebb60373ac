/**
 * What the tools are told: scripts and argument lists, from the plan alone.
 */
import type { FileSystemLayout } from './layout.ts';
import { KIB, MIB } from './sizes.ts';

type Argv = readonly [string, ...string[]];

export interface Mke2fsInput {
  /** The image. */
  readonly file: string;
  /** What the file system is to hold; absent: nothing. */
  readonly tree?: string;
  /** Owner of the file system's top directory: mke2fs does not take it from the tree. */
  readonly rootOwner?: { readonly uid: number; readonly gid: number };
}

/**
 * Makes and fills an ext file system in place. mke2fs heeds only its last `-E`, so what the options
 * bring is merged with ours and wins. The file is sparse, hence zero already: nothing needs zeroing.
 */
export function mke2fsArgv(fs: FileSystemLayout, input: Mke2fsInput): Argv {
  const { extended, rest } = splitExtended(fs.options);
  const { rootOwner } = input;
  const ours = [
    `offset=${fs.offsetBytes}`,
    `hash_seed=${fs.hashSeed}`,
    'lazy_itable_init=1',
    'lazy_journal_init=1',
    ...(rootOwner === undefined ? [] : [`root_owner=${rootOwner.uid}:${rootOwner.gid}`]),
  ];
  return [
    'mke2fs',
    '-q',
    '-F',
    '-t',
    fs.type,
    ...blockOptions(fs),
    ...rest,
    '-L',
    fs.label,
    '-U',
    fs.uuid,
    '-E',
    [...ours, ...extended].join(','),
    ...(input.tree === undefined ? [] : ['-d', input.tree]),
    input.file,
    `${Math.floor(fs.sizeBytes / KIB)}K`,
  ];
}

/** A file system's block cannot be smaller than the disk's. */
function blockOptions({ sectorBytes, options }: FileSystemLayout): readonly string[] {
  return sectorBytes > KIB && !options.includes('-b') ? ['-b', '4096'] : [];
}

/** All that decides how much room an ext file system keeps for itself. */
export function extSizing(fs: FileSystemLayout): readonly string[] {
  return [...blockOptions(fs), ...fs.options];
}

function splitExtended(options: readonly string[]): { extended: string[]; rest: string[] } {
  const extended: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < options.length; at++) {
    const word = options[at] ?? '';
    if (word === '-E') {
      at += 1;
      extended.push(options[at] ?? '');
    } else if (word.startsWith('-E')) {
      extended.push(word.slice(2));
    } else {
      rest.push(word);
    }
  }
  return { extended, rest };
}

/**
 * Sets the mode of an ext file system's top directory, which mke2fs makes 0755 whatever the tree
 * says. Measured with e2fsprogs 1.47.0.
 */
export function rootModeArgv(fs: FileSystemLayout, file: string, mode: number): Argv {
  const octal = (0o040000 | (mode & 0o7777)).toString(8);
  const image = `${file}?offset=${fs.offsetBytes}`;
  return ['debugfs', '-w', '-R', `set_inode_field <2> mode 0${octal}`, image];
}

/**
 * Makes a FAT file system in place. mkfs.vfat would choose its kind and clusters for the size of the
 * whole disk, and on one of 32 GiB makes an EFI system partition that nobody can read.
 */
export function mkfsVfatArgv(fs: FileSystemLayout, file: string): Argv {
  return [
    'mkfs.vfat',
    ...fatSizing(fs),
    // No clock: the volume label would get the time, which SOURCE_DATE_EPOCH does not change.
    '--invariant',
    '-n',
    fs.label,
    '-i',
    fatVolumeId(fs),
    '-S',
    String(fs.sectorBytes),
    '-h',
    String(fs.offsetBytes / fs.sectorBytes),
    '--offset',
    String(fs.offsetBytes / fs.sectorBytes),
    file,
    String(Math.floor(fs.sizeBytes / KIB)),
  ];
}

/** All that decides how much room a FAT file system keeps for itself. */
export function fatSizing(fs: FileSystemLayout): readonly string[] {
  return [...(fs.options.includes('-F') ? [] : fatKind(fs)), ...fs.options];
}

/** A FAT has at least so many clusters. Source: UEFI 2.10, 13.3; Microsoft's FAT specification. */
const FAT32_CLUSTERS = 65525;
const FAT16_CLUSTERS = 4085;

/**
 * mkfs.vfat's own choice for a disk of this size; but an EFI system partition is FAT32 wherever that
 * many clusters fit, because firmware need not read anything else (UEFI 2.10, 13.3).
 */
function fatKind({ efiSystem, sizeBytes, sectorBytes }: FileSystemLayout): string[] {
  // With some room for the tables themselves.
  const mostClusters = (sizeBytes - MIB) / sectorBytes;
  const large = sizeBytes >= 512 * MIB;
  if (mostClusters > FAT32_CLUSTERS && (large || efiSystem || sectorBytes > 512)) {
    const perCluster = Math.max(1, (large ? largeClusterBytes(sizeBytes) : 0) / sectorBytes);
    return ['-F', '32', '-s', String(perCluster)];
  }
  const small = sectorBytes > 512 ? ['-s', '1'] : [];
  return [
    '-F',
    mostClusters / (sectorBytes > 512 ? 1 : 4) > FAT16_CLUSTERS ? '16' : '12',
    ...small,
  ];
}

function largeClusterBytes(sizeBytes: number): number {
  const inGiB = sizeBytes / (1024 * MIB);
  return KIB * (inGiB < 8 ? 4 : inGiB < 16 ? 8 : inGiB < 32 ? 16 : 32);
}

/** FAT has a 32-bit serial number where others have a UUID. */
function fatVolumeId({ uuid }: FileSystemLayout): string {
  return uuid.slice(0, 8);
}

/** Makes directories in a FAT file system, outer ones first; paths begin with a slash. */
export function mmdArgv(fs: FileSystemLayout, file: string, directories: readonly string[]): Argv {
  return ['mmd', '-i', fatImage(fs, file), '--', ...directories.map((one) => `::${one}`)];
}

/**
 * Copies files into a directory of a FAT file system, with their times, without questions. Not in
 * batch mode (`-b`): mtools 4.0.32 then fails with "size too big". Source: systemd pull request
 * 25522; measured.
 */
export function mcopyArgv(
  fs: FileSystemLayout,
  file: string,
  copy: { readonly files: readonly string[]; readonly into: string },
): Argv {
  const image = fatImage(fs, file);
  return ['mcopy', '-i', image, '-s', '-m', '-Q', '-o', '--', ...copy.files, `::${copy.into}`];
}

function fatImage(fs: FileSystemLayout, file: string): string {
  return `${file}@@${fs.offsetBytes}`;
}

/** mkswap knows no offset (util-linux 2.38), so it writes to a file of its own. */
export function mkswapArgv(fs: FileSystemLayout, file: string): Argv {
  return ['mkswap', '-q', '-L', fs.label, '-U', fs.uuid, file];
}

/** Makes a file system that is filled through a mount. Source: mkfs.xfs(8), mkfs.btrfs(8). */
export function mkfsMountedArgv(fs: FileSystemLayout, device: string): Argv {
  const uuid = fs.type === 'xfs' ? ['-m', `uuid=${fs.uuid}`] : ['-U', fs.uuid];
  return [`mkfs.${fs.type}`, '-q', '-f', '-L', fs.label, ...uuid, ...fs.options, device];
}
