/** Room for the images, looked at before the first is written. */
import { stat } from 'node:fs/promises';
import type { TreeSize } from '../disk/room.ts';
import { measureContent, sampleShare } from '../disk/tree-content.ts';
import type { Context } from '../events/event.ts';
import { freeSpace } from '../events/free-space.ts';
import { describeRoom, type NoRoom, noRoom } from '../events/no-room.ts';
import { type ImagesToBe, imageRoom, isGuess, mayNeedTwice } from '../output/image-room.ts';
import { formatsOf } from '../plan/formats.ts';
import { outputDirectory } from '../plan/output-directory.ts';
import type { EngineOrder } from './protocol.ts';

export interface ImagesToWrite {
  readonly order: EngineOrder;
  /** The finished tree. */
  readonly tree: string;
  /** The raw disks; the first is the one that all formats are made of. */
  readonly disks: readonly string[];
  /** Of the tree, as it was before the disk's phases. */
  readonly size: TreeSize;
}

/** What the disk's phases may add to it, which put configuration there, and no packages. */
const MOST_GROWTH = 2;
const MOST_ADDED_KIB = 512 * 1024;

/**
 * Refuses to start on images that are certain not to fit beside each other. Of compressed ones a sample of the files
 * says what may be expected: it is refused when not even half of that would fit, and warned of otherwise.
 *
 * @throws Failed `disk-full`.
 */
export async function assertRoomForImages(
  { order, tree, disks, size }: ImagesToWrite,
  context: Context,
): Promise<void> {
  const { plan } = order.build;
  const { compression } = plan.container;
  const image: ImagesToBe = {
    ...plan.image,
    ...(compression === undefined ? {} : { compression }),
  };
  const free = await freeSpace(order.staging);
  const found = await Promise.all(disks.map((file) => stat(file)));
  const ofTree = formatsOf(image.types).some(({ source }) => source === 'tree');
  const isAmpleFor = (archiveBytes: number): boolean => {
    const most = { archiveBytes, diskBytes: found.map((disk) => disk.size), share: 1 };
    return imageRoom(image, most, 'most') <= free.freeBytes;
  };
  // Nobody has to look at the tree for archives that fit whatever has come to it since, or for a disk that fits twice.
  const grown = (size.archiveKiB * MOST_GROWTH + MOST_ADDED_KIB) * 1024;
  if (isAmpleFor(ofTree ? grown : 0)) {
    return;
  }
  const sized = ofTree ? await measureContent(tree, context) : undefined;
  if (sized !== undefined && isAmpleFor(sized.mostArchiveBytes)) {
    return;
  }
  const content = sized ?? (await measureContent(tree, context));
  const likely = {
    archiveBytes: content.archiveBytes,
    diskBytes: found.map(({ blocks }) => blocks * 512),
    share: isGuess(image) ? await sampleShare(tree, content, context) : 1,
  };
  const neededBytes = imageRoom(image, likely, 'expected');
  if (neededBytes <= free.freeBytes) {
    return;
  }
  const lack: NoRoom = {
    what: `the images (${plan.image.types.join(', ')})`,
    directory: outputDirectory(plan),
    free,
    neededBytes,
    ...(isGuess(image) ? { guessedBy: 'by a sample of the files' } : {}),
    hints: hintsFor(image),
  };
  if (imageRoom(image, likely, 'least') > free.freeBytes) {
    throw noRoom(lack);
  }
  const text = `There may be too little room for ${lack.what} in '${lack.directory}': ${describeRoom(lack)}`;
  context.emit({ kind: 'message', level: 'warning', text: [text, ...lack.hints].join('. ') });
}

function hintsFor(image: ImagesToBe): readonly string[] {
  const place = 'Choose another directory with -o, make room there';
  return [
    isGuess(image)
      ? place.replace(', make', ' or make')
      : `${place}, or ask for compressed formats (qcow2, tar.zst)`,
    ...(mayNeedTwice(image)
      ? ['A compressed qcow2 may be there twice while it is put in order']
      : []),
  ];
}
