/** What is said of a tree that is too large for its file system. Pure. */
import { configError, type Failed } from '../events/failure.ts';
import type { DiskPlan, FileSystemLayout } from './layout.ts';
import { type FileSystemNeed, isLacking, type Room, roomOf } from './room.ts';
import { MIB, roundUp } from './sizes.ts';

/** @param hints what would help, one a line. */
export function doesNotFit(
  fs: FileSystemLayout,
  hints: readonly string[],
  counted?: Pick<FileSystemNeed, 'need' | 'room'>,
): Failed {
  const sizeMiB = Math.floor(fs.sizeBytes / MIB);
  const numbers = counted === undefined ? '' : `: ${describeNeed(counted)}`;
  return configError(
    `The files below "${fs.mountPoint ?? ''}" do not fit in file system "${fs.label}" of ${sizeMiB} MiB${numbers}`,
    { hint: hints.join('\n') },
  );
}

function describeNeed({ need, room }: Pick<FileSystemNeed, 'need' | 'room'>): string {
  const { blockBytes } = room.rules;
  const inMiB = (blocks: number): string =>
    `${Math.max(0, Math.round((blocks * blockBytes * 10) / MIB) / 10)} MiB`;
  const inodes = Number.isFinite(room.freeInodes)
    ? [` in ${need.inodes} inodes`, ` and ${Math.max(0, room.freeInodes)} inodes`]
    : ['', ''];
  return `they need ${inMiB(need.blocks)}${inodes[0]}, and it has room for ${inMiB(room.freeBlocks)}${inodes[1]}`;
}

/** Whether a need, counted in blocks of one size, fits in a room that may have larger ones. */
export function fitsIn(
  { need, room: counted }: Pick<FileSystemNeed, 'need' | 'room'>,
  room: Room,
): boolean {
  const [from, to] = [counted.rules.blockBytes, room.rules.blockBytes];
  // The last block of each file may be emptier.
  const bytes = need.blocks * from + need.inodes * Math.max(0, to - from);
  return !isLacking({ room, need: { ...need, blocks: Math.ceil(bytes / to) } });
}

/** Of sizes that are tried one after the other. */
const STEP = 1.03;
const MOST_STEPS = 250;

/**
 * The least `--image-size`, in hundredths of a GiB, with which everything fits; undefined when a larger
 * disk does not make the file system larger.
 */
export function leastImageSize(
  needs: readonly FileSystemNeed[],
  planOf: (imageSizeGiB: number) => DiskPlan | undefined,
  fromGiB: number,
): number | undefined {
  const lacking = needs.filter(isLacking).map(({ fs }) => fs);
  let size = roundUp(fromGiB * 100, 1) / 100;
  for (let step = 0; step < MOST_STEPS; step++) {
    size = Math.max(size + 0.01, Math.ceil(size * STEP * 100) / 100);
    const plan = planOf(size);
    const placed = plan && placeNeeds(needs, plan);
    if (placed?.every(({ need, at }) => at !== undefined && fitsIn(need, at))) {
      return Math.round(size * 100) / 100;
    }
    const grows = plan?.fileSystems.some((fs) =>
      lacking.some((one) => one.name === fs.name && fs.sizeBytes > one.sizeBytes),
    );
    if (plan !== undefined && grows !== true) {
      return undefined;
    }
  }
  return undefined;
}

function placeNeeds(
  needs: readonly FileSystemNeed[],
  plan: DiskPlan,
): { readonly need: FileSystemNeed; readonly at: Room | undefined }[] {
  return needs.map((need) => {
    const fs = plan.fileSystems.find(({ name }) => name === need.fs.name);
    return { need, at: fs && roomOf(fs) };
  });
}

/** The least size of the file system itself, in MiB. */
export function leastFileSystemMiB(lacking: FileSystemNeed): number | undefined {
  let sizeBytes = lacking.fs.sizeBytes;
  for (let step = 0; step < MOST_STEPS; step++) {
    sizeBytes = roundUp(sizeBytes * STEP, MIB);
    const room = roomOf({ ...lacking.fs, sizeBytes });
    if (room !== undefined && fitsIn(lacking, room)) {
      return sizeBytes / MIB;
    }
  }
  return undefined;
}

/** Bytes that a disk with these files takes on the host, where holes are kept. */
export function hostBytes(needs: readonly FileSystemNeed[]): number {
  return needs.reduce((sum, need) => sum + bytesOf(need), 0);
}

/** Bytes of the largest volume that is made in a file of its own before it gets into the disks: see `pieces.ts`. */
export function passingBytes(needs: readonly FileSystemNeed[]): number {
  return Math.max(0, ...needs.filter(({ fs }) => fs.pieces !== undefined).map(bytesOf));
}

function bytesOf({ need, room }: FileSystemNeed): number {
  return need.blocks * room.rules.blockBytes;
}
