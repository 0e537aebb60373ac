/** How much room a tree needs, whatever file system it happens to lie in. */
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';
import type { TreeSize } from './room.ts';
import { KIB, MIB, roundUp } from './sizes.ts';
import { MOST_HEADER_BYTES, tarBytes } from './tar-bytes.ts';

const BLOCK_BYTES = 4096;

/** Names up to this length have room in what an entry of a directory is taken to need. */
const ENTRY_BYTES = 40;

/**
 * Where a hole would matter. For smaller files the blocks that the host counts say more about its
 * file system (compression, tails, what is not written yet) than about the file.
 */
const HOLES_FROM_BYTES = 16 * MIB;

/** An inode: what `find` prints of it. */
const PRINTED = '%y %D:%i %n %s %b\\n';

/** A symbolic link up to this length is kept in the inode. Source: ext4, "Inline Data". */
const SHORT_LINK_BYTES = 59;

/**
 * How large `tree` is: its inodes, and the KiB that its files take, by their own lengths and in whole MiB: how a file system
 * stores directories and holes is not a matter of the image's. Log files and `/tmp` are not counted,
 * for they are emptied before the image is written, and their lengths differ from build to build.
 */
export async function measureTree(tree: string, context: Context): Promise<TreeSize> {
  const emptied = ['-path', './tmp/*', '-o', '-path', './var/log/*'];
  const printed = await runTool(
    ['find', '.', '-xdev', '(', ...emptied, ')', '-prune', '-o', '-printf', PRINTED],
    context,
    { announce: false, cwd: tree },
  );
  const { bytes, inodes, archiveBytes } = sumOf(printed.split('\n'));
  return {
    usedKiB: roundUp(bytes, MIB) / KIB,
    inodes,
    archiveKiB: roundUp(archiveBytes, KIB) / KIB,
  };
}

/**
 * Inodes printed as `type device:inode links size blocks`, the bytes that they take, and those of a tar of them, at most.
 * Pure.
 */
export function sumOf(lines: readonly string[]): {
  readonly bytes: number;
  readonly inodes: number;
  readonly archiveBytes: number;
} {
  const counted = new Set<string>();
  let bytes = 0;
  let inodes = 0;
  let archiveBytes = 0;
  for (const line of lines) {
    const [type, inode = '', links, size, blocks] = line.split(' ');
    bytes += ENTRY_BYTES;
    const isNew = links === '1' || type === 'd' || !counted.has(inode);
    counted.add(links === '1' ? '' : inode);
    archiveBytes += MOST_HEADER_BYTES + tarBytes(isNew && type === 'f' ? Number(size) : 0);
    if (isNew) {
      inodes += 1;
      bytes += contentBytes(type, Number(size), Number(blocks));
    }
  }
  return { bytes, inodes, archiveBytes };
}

function contentBytes(type: string | undefined, size: number, blocks: number): number {
  switch (type) {
    case 'd':
      return BLOCK_BYTES;
    case 'f':
      return roundUp(size < HOLES_FROM_BYTES ? size : Math.min(size, blocks * 512), BLOCK_BYTES);
    case 'l':
      return size > SHORT_LINK_BYTES ? BLOCK_BYTES : 0;
    default:
      return 0;
  }
}
