/**
 * The file systems that a configuration may ask for, as data.
 *
 * Compat: the label limits. Source: dib-contract, "Modules", mkfs. `fill` is how the tree gets
 * into the file system: `mount` through the kernel, the others without mounting anything.
 */
import type { Place } from '../events/failure.ts';
import type { FstabNode } from './config.ts';

export type Fill = 'mke2fs' | 'vfat' | 'swap' | 'mount';

export interface FileSystemType {
  readonly fill: Fill;
  /** Bytes. */
  readonly longestLabel: number;
  readonly upperCaseLabel: boolean;
}

export const FILE_SYSTEM_TYPES: Readonly<Record<string, FileSystemType>> = {
  ext2: { fill: 'mke2fs', longestLabel: 16, upperCaseLabel: false },
  ext3: { fill: 'mke2fs', longestLabel: 16, upperCaseLabel: false },
  ext4: { fill: 'mke2fs', longestLabel: 16, upperCaseLabel: false },
  xfs: { fill: 'mount', longestLabel: 12, upperCaseLabel: false },
  btrfs: { fill: 'mount', longestLabel: 255, upperCaseLabel: false },
  vfat: { fill: 'vfat', longestLabel: 11, upperCaseLabel: true },
  fat: { fill: 'vfat', longestLabel: 11, upperCaseLabel: true },
  swap: { fill: 'swap', longestLabel: 16, upperCaseLabel: false },
};

/** The row of a type; undefined when there is none. */
export function fileSystemType(type: string): FileSystemType | undefined {
  return Object.hasOwn(FILE_SYSTEM_TYPES, type) ? FILE_SYSTEM_TYPES[type] : undefined;
}

/** A file system with everything decided except where on the disk it lies. */
export interface FileSystemSpec {
  readonly name: string;
  readonly at: Place;
  readonly base: string;
  readonly type: string;
  /** As it is written: upper case where the type wants that. */
  readonly label: string;
  /** Absent for a root without options: it gets the computed ones. */
  readonly options?: readonly string[];
  readonly uuid?: string;
  readonly isRoot: boolean;
  /** Absent for swap and for file systems that nobody mounts. */
  readonly mountPoint?: string;
  readonly fstab?: FstabNode;
}
