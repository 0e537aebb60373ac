/** The command lines that write images. Pure. */
import type { ImagePlan } from '../plan/build-plan.ts';
import type { Argv } from './writer.ts';

/**
 * Archives a tree to standard output: numeric owners, all extended attributes, names in a fixed
 * order. Nothing is mounted in the tree any more, so nothing needs to be left out of it.
 *
 * Times later than `sourceDate` become that; the others and the process number, which GNU tar also
 * writes, differ from build to build. Source: GNU tar manual, "Reproducibility".
 */
export function tarArgv(tree: string, sourceDate: number): Argv {
  return [...archiveTree(tree, sourceDate), '-cf', '-', '.'];
}

/** The same below `rootfs/`; `manifestIn` is a directory with a file `manifest`. */
export function aciArgv(
  tree: string,
  how: { readonly sourceDate: number; readonly manifestIn: string | undefined },
): Argv {
  const { manifestIn } = how;
  return [
    ...archiveTree(tree, how.sourceDate),
    // Names and hard links, but not where symbolic links point.
    '--transform=s,^\\.,rootfs,S',
    '-cf',
    '-',
    '.',
    ...(manifestIn === undefined ? [] : ['-C', manifestIn, '--owner=0', '--group=0', 'manifest']),
  ];
}

function archiveTree(tree: string, sourceDate: number): Argv {
  return [
    'tar',
    '-C',
    tree,
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    `--mtime=@${sourceDate}`,
    '--clamp-mtime',
    '--numeric-owner',
    '--sort=name',
    '--xattrs',
    '--xattrs-include=*',
  ];
}

/**
 * Packs an archive from standard input into a squashfs: of what mksquashfs reads from a tree, attributes
 * have the order of the host's file system. Compression and absence of a recovery file are compat.
 * The top directory is not taken from an archive (squashfs-tools 4.5.1), so it is described; its time is
 * that of `SOURCE_DATE_EPOCH`, which is the file system's, too.
 */
export function squashArgv(
  file: string,
  top: { readonly mode: number; readonly uid: number; readonly gid: number },
): Argv {
  return [
    'mksquashfs',
    ...['-', file, '-tar', '-quiet', '-no-progress', '-no-recovery', '-noappend'],
    ...['-comp', 'xz', '-root-mode', (top.mode & 0o7777).toString(8)],
    ...['-root-uid', String(top.uid), '-root-gid', String(top.gid)],
  ];
}

/** A format of `qemu-img convert -O`, and what is given with `-o` before the user's options. */
export interface ConvertTo {
  readonly name: string;
  readonly options?: string;
}

/**
 * Whether qemu-img may write the clusters of a qcow2 as they come, on all cores, because they are put in
 * order afterwards (`order-qcow2.ts`). With options of the user's it is another kind of file.
 */
export function mayComeUnordered(
  driver: ConvertTo,
  image: Pick<ImagePlan, 'compress' | 'qemuImgOptions'>,
): boolean {
  return driver.name === 'qcow2' && image.compress && (image.qemuImgOptions ?? '') === '';
}

/**
 * Converts the raw disk. A compressed qcow2 uses zstd with 16 coroutines unless the user's options
 * say otherwise: measured at a tenth of zlib's time, and the same size. The old qcow2 version
 * (`compat=0.10`) knows only zlib.
 */
export function convertArgv(
  driver: ConvertTo,
  files: { readonly raw: string; readonly to: string },
  image: ImagePlan & { readonly order: 'as-they-come' | 'in-order' },
): [string, ...string[]] {
  const compress = driver.name === 'qcow2' && image.compress;
  const given = image.qemuImgOptions ?? '';
  const zstd = compress && !/(^|,)(compression_type|compat)=/.test(given);
  const options = [zstd ? 'compression_type=zstd' : '', driver.options ?? '', given]
    .filter(Boolean)
    .join(',');
  return [
    'qemu-img',
    'convert',
    ...(compress ? ['-c'] : []),
    ...(image.order === 'as-they-come' ? ['-W'] : []),
    '-m',
    '16',
    '-f',
    'raw',
    '-O',
    driver.name,
    ...(options === '' ? [] : ['-o', options]),
    files.raw,
    files.to,
  ];
}

/** All cores; the bytes do not depend on how many. Source: zstd(1), -T. */
export const ZSTD_ARGV = ['zstd', '--threads=0', '--quiet', '--stdout', '-'] as const;

/** All cores, in blocks, so that the bytes do not depend on how many. Source: xz(1), --threads. */
export const XZ_ARGV = ['xz', '--threads=0', '--quiet', '--stdout', '-'] as const;
