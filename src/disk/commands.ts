/**
 * What the tools are told: scripts and argument lists, from the plan alone.
 */
import type { FileSystemLayout, ImageLayout } from './layout.ts';
import { KIB, MIB } from './sizes.ts';
import { TABLE_FORMATS } from './table-labels.ts';

type Argv = readonly [string, ...string[]];

/** The whole partition table for sfdisk's standard input. Source: sfdisk(8), "Input formats". */
export function sfdiskScript(image: ImageLayout): string {
  if (image.label === 'none') {
    return '';
  }
  const head = [
    `label: ${TABLE_FORMATS[image.label].sfdisk}`,
    `label-id: ${image.diskId}`,
    'unit: sectors',
    `sector-size: ${image.sectorBytes}`,
    '',
  ];
  const lines = image.partitions.map((partition) => {
    const fields = [
      `start=${partition.startSector}`,
      `size=${partition.sectors}`,
      `type=${partition.type}`,
      ...(partition.uuid === undefined ? [] : [`uuid=${partition.uuid}`]),
      // Compat: a GPT partition has the name of the configuration.
      ...(image.label === 'gpt' ? [`name="${partition.name}"`] : []),
      ...(partition.bootable ? ['bootable'] : []),
    ];
    return `${partition.index} : ${fields.join(', ')}`;
  });
  return `${[...head, ...lines].join('\n')}\n`;
}

/** Writes the table and nothing else: the kernel knows nothing of a plain file's partitions. */
export function sfdiskArgv(file: string): Argv {
  return ['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'never', file];
}

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
  // A file system's block cannot be smaller than the disk's.
  const blocks = fs.sectorBytes > KIB && !rest.includes('-b') ? ['-b', '4096'] : [];
  return [
    'mke2fs',
    '-q',
    '-F',
    '-t',
    fs.type,
    ...blocks,
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
 * Makes a FAT file system in place. An EFI system partition is FAT32 wherever that many clusters
 * fit, because firmware need not read anything else (UEFI 2.10, 13.3).
 */
export function mkfsVfatArgv(fs: FileSystemLayout, file: string): Argv {
  return [
    'mkfs.vfat',
    ...(fs.efiSystem && !fs.options.includes('-F') ? fat32(fs.sizeBytes) : []),
    ...fs.options,
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

/** FAT32 has at least 65525 clusters: below 34 MiB not even one-sector clusters give that. */
function fat32(sizeBytes: number): string[] {
  if (sizeBytes >= 512 * MIB) {
    return ['-F', '32'];
  }
  return sizeBytes >= 34 * MIB ? ['-F', '32', '-s', '1'] : [];
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
