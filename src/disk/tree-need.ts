/**
 * How many blocks and inodes a tree needs in a file system, from what `find` says of it. Pure.
 *
 * To the block what `mke2fs -d` takes where no file is in pieces; holes and blocks of zeros take none, and
 * whoever has counted those can say so. Source: e2fsprogs, misc/create_inode.c; ext4, "Directory Entries".
 */
import { type ExtCapacity, indirectBlocks } from './ext-capacity.ts';
import { roundUp } from './sizes.ts';

/** A file of any type as `ENTRY_FORMAT` prints it. */
export interface TreeEntry {
  /** As `find` says it: `f`, `d`, `l`, ... */
  readonly type: string;
  /** Device and inode. */
  readonly inode: string;
  readonly links: number;
  readonly sizeBytes: number;
  /** That the host stores. */
  readonly storedBytes: number;
  /** 0: the top of the tree. */
  readonly depth: number;
  /** Below the top, one character a byte (latin1); empty: the top. */
  readonly path: string;
}

/** For `find -printf`; each entry ends with a NUL, because names may have newlines. */
export const ENTRY_FORMAT = '%y %D:%i %n %s %b %d %P\\0';

export function parseEntry(record: string): TreeEntry {
  const [, type = '', inode = '', links, size, blocks, depth, path = ''] =
    /^(\S+) (\S+) (\d+) (\d+) (\d+) (\d+) (.*)$/s.exec(record) ?? [];
  return {
    type,
    inode,
    links: Number(links),
    sizeBytes: Number(size),
    storedBytes: Number(blocks) * 512,
    depth: Number(depth),
    path,
  };
}

/** How a file system stores things. */
export interface NeedRules {
  readonly blockBytes: number;
  /** Of a name in a directory. */
  readonly entryBytes: (nameBytes: number) => number;
  /** In every directory, for itself and its parent; and at the end of each of its blocks. */
  readonly directoryHeadBytes: number;
  readonly directoryTailBytes: number;
  /** Of the top directory, that the capacity has left out already. */
  readonly rootBlocks: number;
  /** Whether the names of one inode share its content. */
  readonly hardLinks: boolean;
  /** Whether holes take no blocks. */
  readonly holes: boolean;
  /** The longest symbolic link that takes no block. */
  readonly shortLinkBytes: number;
  /** That say where a file's blocks are. */
  readonly mapBlocks: (blocks: number) => number;
}

/** Source: ext4, "Inline Data" for links, "Extent Tree" for what fits into an inode. */
export function extRules({
  blockBytes,
  checksums,
  extents,
}: Pick<ExtCapacity, 'blockBytes' | 'checksums' | 'extents'>): NeedRules {
  const [inInode, longest, perBlock] = [4, 32768, Math.floor((blockBytes - 12) / 12)];
  return {
    blockBytes,
    entryBytes: (nameBytes) => roundUp(8 + nameBytes, 4),
    directoryHeadBytes: 24,
    directoryTailBytes: checksums ? 12 : 0,
    rootBlocks: 1,
    hardLinks: true,
    holes: true,
    shortLinkBytes: 59,
    mapBlocks: (blocks) => {
      const pieces = Math.ceil(blocks / longest);
      const leaves = pieces <= inInode ? 0 : Math.ceil(pieces / perBlock);
      return extents ? leaves : indirectBlocks(blocks, blockBytes);
    },
  };
}

/** Every name also in a long form, 13 characters an entry. Source: Microsoft FAT specification, 7. */
export function fatRules(clusterBytes: number): NeedRules {
  return {
    blockBytes: clusterBytes,
    entryBytes: (nameBytes) => 32 * (1 + Math.ceil(nameBytes / 13)),
    directoryHeadBytes: 64,
    directoryTailBytes: 0,
    rootBlocks: 0,
    hardLinks: false,
    holes: false,
    shortLinkBytes: 0,
    mapBlocks: () => 0,
  };
}

export interface TreeNeed {
  readonly blocks: number;
  readonly inodes: number;
}

/** Adds up a tree; entries come as `find` lists them, each directory before what is in it. */
export class NeedTally {
  readonly #rules: NeedRules;
  readonly #seen = new Set<string>();
  /** Of the directories from the top to where we are: blocks, and what is left in the last one. */
  readonly #open: { blocks: number; freeBytes: number }[] = [];
  #blocks = 0;
  #inodes = 0;

  constructor(rules: NeedRules) {
    this.#rules = rules;
  }

  /** `dataBlocks`: of a file whose content has been looked at. */
  add(entry: TreeEntry, dataBlocks?: number): void {
    const { type, depth, path } = entry;
    if (depth > 0) {
      this.#enter(depth - 1, path.length - (path.lastIndexOf('/') + 1));
    }
    if (!this.isNew(entry)) {
      return;
    }
    this.#seen.add(entry.links > 1 && type !== 'd' ? entry.inode : '');
    this.#inodes += depth === 0 ? 0 : 1;
    if (type === 'd') {
      this.#openDirectory(depth);
    } else if (type === 'f') {
      const blocks = dataBlocks ?? this.#storedBlocks(entry);
      this.#blocks += blocks + this.#rules.mapBlocks(blocks);
    } else if (type === 'l' && entry.sizeBytes > this.#rules.shortLinkBytes) {
      this.#blocks += 1;
    }
  }

  /** Whether it has content of its own that has not been counted. */
  isNew(entry: TreeEntry): boolean {
    const shared = this.#rules.hardLinks && entry.links > 1 && entry.type !== 'd';
    return !(shared && this.#seen.has(entry.inode));
  }

  get need(): TreeNeed {
    return { blocks: this.#blocks, inodes: this.#inodes };
  }

  /** The host's blocks say where holes are, and nothing else: it may compress, or not have written yet. */
  #storedBlocks({ sizeBytes, storedBytes }: TreeEntry): number {
    const { blockBytes, holes } = this.#rules;
    const isSparse = holes && hasHoles({ sizeBytes, storedBytes });
    return Math.ceil((isSparse ? storedBytes : sizeBytes) / blockBytes);
  }

  #openDirectory(depth: number): void {
    const { blockBytes, directoryHeadBytes, directoryTailBytes, rootBlocks } = this.#rules;
    this.#open.length = depth;
    this.#open.push({ blocks: 1, freeBytes: blockBytes - directoryHeadBytes - directoryTailBytes });
    this.#blocks += depth === 0 ? 1 - rootBlocks : 1;
  }

  /** A name in the directory at `depth`. */
  #enter(depth: number, nameBytes: number): void {
    const directory = this.#open[depth];
    if (directory === undefined) {
      return;
    }
    const { blockBytes, directoryTailBytes, entryBytes } = this.#rules;
    const bytes = entryBytes(nameBytes);
    if (bytes > directory.freeBytes) {
      this.#blocks += 1;
      directory.blocks += 1;
      directory.freeBytes = blockBytes - directoryTailBytes;
    }
    directory.freeBytes -= bytes;
  }
}

const HOLES_FROM_BYTES = 64 * 1024;

/** Whether the host stores so much less than the length that it cannot be for another reason. */
export function hasHoles({
  sizeBytes,
  storedBytes,
}: Pick<TreeEntry, 'sizeBytes' | 'storedBytes'>): boolean {
  return sizeBytes - storedBytes >= HOLES_FROM_BYTES;
}
