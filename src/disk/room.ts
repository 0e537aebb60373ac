/** What file systems have room for, and how they count what a tree needs of it. Pure. */
import { extSizing, fatSizing } from './commands.ts';
import { extCapacity } from './ext-capacity.ts';
import { fatCapacity } from './fat-capacity.ts';
import { fileSystemType } from './file-systems.ts';
import type { DiskPlan, FileSystemLayout } from './layout.ts';
import { KIB } from './sizes.ts';
import { extRules, fatRules, type NeedRules, type TreeNeed } from './tree-need.ts';

/** What a file system has room for, and how it counts. */
export interface Room {
  readonly rules: NeedRules;
  readonly freeBlocks: number;
  readonly freeInodes: number;
}

/** Of a file system; undefined where only its own tools know. */
export function roomOf(fs: FileSystemLayout): Room | undefined {
  switch (fileSystemType(fs.type)?.fill) {
    case 'mke2fs': {
      const { type, sizeBytes } = fs;
      const capacity = extCapacity({ type, sizeBytes, options: extSizing(fs) });
      return (
        capacity && {
          rules: extRules(capacity),
          freeBlocks: capacity.freeBlocks,
          freeInodes: capacity.freeInodes,
        }
      );
    }
    case 'vfat': {
      const capacity = fatCapacity({ ...fs, options: fatSizing(fs) });
      return (
        capacity && {
          rules: fatRules(capacity.clusterBytes),
          freeBlocks: capacity.clusters,
          freeInodes: Number.POSITIVE_INFINITY,
        }
      );
    }
    default:
      return undefined;
  }
}

/** What the tree needs of one file system. */
export interface FileSystemNeed {
  readonly fs: FileSystemLayout;
  readonly room: Room;
  readonly need: TreeNeed;
  /** For a person; only of a need that was counted exactly. */
  readonly largest?: string;
}

/** Whether the file system is too small, as far as is known. Pure. */
export function isLacking({ room, need }: Pick<FileSystemNeed, 'room' | 'need'>): boolean {
  return need.blocks > room.freeBlocks || need.inodes > room.freeInodes;
}

/** Of a tree that was measured as a whole. */
export interface TreeSize {
  readonly usedKiB: number;
  readonly inodes: number;
  /** Of a plain tar, at most. */
  readonly archiveKiB: number;
}

/** Whether such a tree fits, all of it, where `/` is; true where only the tools know. */
export function rootHasRoom(
  plan: DiskPlan,
  { usedKiB, inodes }: Pick<TreeSize, 'usedKiB' | 'inodes'>,
): boolean {
  const root = plan.fileSystems.find(({ mountPoint }) => mountPoint === '/');
  const room = root && roomOf(root);
  if (room === undefined) {
    return true;
  }
  const blocks = Math.ceil((usedKiB * KIB) / room.rules.blockBytes);
  const need: TreeNeed = { blocks, inodes };
  return !isLacking({ room, need });
}
