/**
 * How many files mke2fs leaves room for: what an ext file system of a size, with some options, keeps
 * for itself. Pure, and to the block what mke2fs 1.47 does with our mke2fs.conf.
 *
 *     | boot | group 0: super, descriptors, reserved descriptors, bitmaps, inodes, data | group 1 ...
 *
 * Source: e2fsprogs, lib/ext2fs/initialize.c and misc/mke2fs.c; ext4, "Block Groups".
 */
import { parseExtOptions } from './ext-options.ts';
import { KIB, MIB } from './sizes.ts';

export interface ExtCapacity {
  readonly blockBytes: number;
  /** Left for what the tree has. */
  readonly freeBlocks: number;
  readonly freeInodes: number;
  /** Of `-J size=`, or the default. */
  readonly journalBlocks: number;
  /** Whether directories end each block with a checksum. */
  readonly checksums: boolean;
  /** Whether a file says in extents where its blocks are. */
  readonly extents: boolean;
}

/** What a file system is made of, as far as its own structures go. */
export interface ExtRequest {
  readonly type: string;
  readonly sizeBytes: number;
  /** Of mke2fs. */
  readonly options: readonly string[];
}

/** Below these mke2fs takes its usage types `floppy` and `small`. Source: mke2fs.c, `parse_fs_type`. */
const FLOPPY_BELOW_BYTES = 3 * MIB;
const SMALL_BELOW_BYTES = 512 * MIB;

/** Inodes 1 to 10 are the file system's own, and `lost+found` is one. */
const OWN_INODES = 11;

/** A last group with less room than this beside its own structures is left out. */
const LEAST_LAST_GROUP_BLOCKS = 50;

const ROOT_DIRECTORY_BLOCKS = 1;
const RESIZE_INODE_BLOCKS = 1;

/**
 * What is left for files; undefined where the options ask for something that is not modelled here,
 * or the file system is too small to be one.
 */
export function extCapacity({ type, sizeBytes, options }: ExtRequest): ExtCapacity | undefined {
  const asked = parseExtOptions(type, options);
  if (asked === undefined) {
    return undefined;
  }
  const small = sizeBytes < SMALL_BELOW_BYTES;
  const blockBytes = asked.blockBytes ?? (small ? KIB : 4 * KIB);
  const ratio = asked.inodeRatio ?? (sizeBytes < FLOPPY_BELOW_BYTES ? 8192 : small ? 4096 : 16384);
  const blocks = Math.floor(sizeBytes / blockBytes);
  const shape: Shape = {
    blockBytes,
    inodeBytes: asked.inodeBytes,
    descriptorBytes: asked.is64Bit ? 64 : 32,
    firstBlock: blockBytes === KIB ? 1 : 0,
    inodesAsked: asked.inodes ?? Math.floor((blocks * blockBytes) / ratio),
    resizable: asked.resizeInode,
    ...(asked.resizeTo === undefined ? {} : { resizeTo: asked.resizeTo }),
  };
  const groups = groupsOf(blocks, shape);
  const journalBlocks = asked.journal ? journalOf(blocks, asked.journalMiB, blockBytes) : 0;
  if (groups === undefined) {
    return undefined;
  }
  const own =
    groups.ownBlocks +
    ROOT_DIRECTORY_BLOCKS +
    lostAndFoundBlocks(blockBytes) +
    (asked.resizeInode ? RESIZE_INODE_BLOCKS : 0) +
    journalBlocks +
    (asked.extents ? 0 : indirectBlocks(journalBlocks, blockBytes));
  return {
    blockBytes,
    freeBlocks: groups.blocks - shape.firstBlock - own,
    freeInodes: groups.inodes - OWN_INODES,
    journalBlocks,
    checksums: asked.checksums,
    extents: asked.extents,
  };
}

interface Shape {
  readonly blockBytes: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  readonly firstBlock: number;
  readonly inodesAsked: number;
  /** Whether descriptors are reserved for groups that an online resize adds. */
  readonly resizable: boolean;
  /** Up to so many blocks; default 1024 times as many as there are. */
  readonly resizeTo?: number;
}

interface Groups {
  /** Of the file system: a last group that is too small is not used. */
  readonly blocks: number;
  readonly inodes: number;
  /** Superblocks, descriptors, bitmaps, inode tables. */
  readonly ownBlocks: number;
}

/** Fewer than these mke2fs does not put into a group. */
const LEAST_GROUP_BLOCKS = 256;

function groupsOf(asked: number, shape: Shape): Groups | undefined {
  let attempt: Attempt = { blocks: asked, perGroup: 8 * shape.blockBytes };
  for (;;) {
    const outcome = tryGroups(attempt, shape);
    if (outcome === 'too-small' || attempt.perGroup < LEAST_GROUP_BLOCKS) {
      return undefined;
    }
    if (typeof outcome === 'object') {
      return outcome;
    }
    attempt =
      outcome === 'smaller-groups'
        ? { blocks: asked, perGroup: attempt.perGroup - 8 }
        : { ...attempt, blocks: attempt.blocks - lastGroup(attempt, shape) };
  }
}

interface Attempt {
  readonly blocks: number;
  readonly perGroup: number;
}

/** Blocks of a last group that is not whole, else 0. */
function lastGroup({ blocks, perGroup }: Attempt, { firstBlock }: Shape): number {
  return (blocks - firstBlock) % perGroup;
}

function tryGroups(
  { blocks, perGroup }: Attempt,
  shape: Shape,
): Groups | 'too-small' | 'smaller-groups' | 'without-last' {
  const { blockBytes, inodeBytes, firstBlock } = shape;
  const count = Math.ceil((blocks - firstBlock) / perGroup);
  if (count < 1) {
    return 'too-small';
  }
  const wanted = Math.ceil(shape.inodesAsked / count);
  if (wanted > 8 * blockBytes) {
    // More than a bitmap holds: of smaller groups there are more.
    return 'smaller-groups';
  }
  const inodesPerGroup = wholeTable(wanted, shape);
  const tableBlocks = Math.ceil((inodesPerGroup * inodeBytes) / blockBytes);
  const superBlocks = 1 + descriptorBlocks({ blocks, count, perGroup }, shape);
  const last = lastGroup({ blocks, perGroup }, shape);
  const lastOwn = 2 + tableBlocks + (hasSuperblock(count - 1) ? superBlocks : 0);
  const isOnly = count === 1;
  if (last !== 0 && last < lastOwn + (isOnly ? 0 : LEAST_LAST_GROUP_BLOCKS)) {
    return isOnly ? 'too-small' : 'without-last';
  }
  const copies = superblocks(count);
  return {
    blocks,
    inodes: inodesPerGroup * count,
    ownBlocks: copies * superBlocks + count * (2 + tableBlocks),
  };
}

/** Inodes fill the blocks of their table, and come in eights. */
function wholeTable(inodes: number, { inodeBytes, blockBytes }: Shape): number {
  const full = Math.ceil((inodes * inodeBytes) / blockBytes) * (blockBytes / inodeBytes);
  return Math.max(8, Math.floor(full / 8) * 8);
}

/** Of the groups there are, and of those that an online resize may add. */
function descriptorBlocks(
  { blocks, count, perGroup }: { blocks: number; count: number; perGroup: number },
  { blockBytes, descriptorBytes, resizable, resizeTo, firstBlock }: Shape,
): number {
  const each = blockBytes / descriptorBytes;
  const now = Math.ceil(count / each);
  if (!resizable) {
    return now;
  }
  const most = Math.min(blocks * 1024, 2 ** 32 - 1);
  const usual = Math.ceil(Math.ceil((most - firstBlock) / perGroup) / each) - now;
  const asked = resizeTo === undefined ? 0 : Math.ceil(Math.ceil(resizeTo / perGroup) / each) - now;
  return now + Math.min(asked > 0 ? asked : usual, blockBytes / 4);
}

/** How many of the first groups have one. */
function superblocks(groups: number): number {
  let count = Math.min(groups, 2);
  for (const base of [3, 5, 7]) {
    for (let group = base; group < groups; group *= base) {
      count += 1;
    }
  }
  return count;
}

/** `sparse_super`: groups 0, 1 and the powers of 3, 5 and 7. */
function hasSuperblock(group: number): boolean {
  return group <= 1 || [3, 5, 7].some((base) => isPower(group, base));
}

function isPower(value: number, base: number): boolean {
  let power = base;
  while (power < value) {
    power *= base;
  }
  return power === value;
}

/** Source: lib/ext2fs/mkjournal.c, `ext2fs_default_journal_size`. */
const DEFAULT_JOURNALS: readonly (readonly [below: number, blocks: number])[] = [
  [32768, 1024],
  [256 * 1024, 4096],
  [512 * 1024, 8192],
  [4096 * 1024, 16384],
  [8192 * 1024, 32768],
  [16384 * 1024, 65536],
  [32768 * 1024, 131072],
  [Number.POSITIVE_INFINITY, 262144],
];

const LEAST_BLOCKS_FOR_JOURNAL = 2048;

/** Too small a file system has none, whatever was asked for. */
function journalOf(blocks: number, askedMiB: number | undefined, blockBytes: number): number {
  if (blocks < LEAST_BLOCKS_FOR_JOURNAL) {
    return 0;
  }
  return askedMiB === undefined
    ? (DEFAULT_JOURNALS.find(([below]) => blocks < below)?.[1] ?? 0)
    : (askedMiB * MIB) / blockBytes;
}

/** Made 16 KiB long for e2fsck to use, and never with indirect blocks. */
function lostAndFoundBlocks(blockBytes: number): number {
  return Math.min(12, (16 * KIB) / blockBytes);
}

/** Of a file without extents. Source: ext4, "Direct/Indirect Block Addressing". */
export function indirectBlocks(blocks: number, blockBytes: number): number {
  const each = blockBytes / 4;
  const direct = 12;
  if (blocks <= direct) {
    return 0;
  }
  const [single, double] = [each, each * each];
  const beyondSingle = blocks - direct - single;
  if (beyondSingle <= 0) {
    return 1;
  }
  const beyondDouble = beyondSingle - double;
  const inDouble = 1 + Math.ceil(Math.min(beyondSingle, double) / each);
  if (beyondDouble <= 0) {
    return 1 + inDouble;
  }
  const leaves = Math.ceil(beyondDouble / each);
  return 1 + inDouble + 1 + Math.ceil(leaves / each) + leaves;
}
