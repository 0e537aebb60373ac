/** How large the disk of a build is, and its layout. Pure. */
import type { DiskGraph } from '../disk/graph.ts';
import { type DiskPlan, planDisk } from '../disk/layout.ts';
import { rootHasRoom, type TreeSize } from '../disk/room.ts';
import { bringsEfi, type ImageSize, imageSizeKiB, roundUp } from '../disk/sizes.ts';
import { Failed } from '../events/failure.ts';
import type { DiskRequest } from '../plan/build-plan.ts';
import type { Identifiers } from '../plan/identifiers.ts';
import type { PreparedBuild } from './prepare.ts';

/** All that the size depends on, beside the tree. */
export interface SizedDisk {
  readonly build: PreparedBuild;
  readonly graph: DiskGraph;
}

/** The image's size from the tree's (compat), for the request of the build or another one. */
export function imageSizeOf(
  disk: SizedDisk,
  usedKiB: number,
  request: DiskRequest = disk.build.plan.disk,
): ImageSize {
  return imageSizeKiB({
    usedKiB,
    request,
    rootFsType: disk.graph.root.type,
    efi: bringsEfi(disk.build.elements),
  });
}

/** A computed size that is too small (many small files, little extra room) grows by this. */
const GROWTH = 1.1;
const MOST_GROWTHS = 40;

/** The image's size, once the root phases are done. One that nobody asked for is large enough. */
export function sizeForTree(disk: SizedDisk, tree: TreeSize, identifiers: Identifiers): ImageSize {
  const compat = imageSizeOf(disk, tree.usedKiB);
  if (disk.build.plan.disk.imageSize !== undefined) {
    return compat;
  }
  let size = compat;
  for (let step = 0; step < MOST_GROWTHS; step++) {
    if (isEnough(disk, { size, tree, identifiers })) {
      return size;
    }
    size = { ...size, sizeKiB: roundUp(size.sizeKiB * GROWTH, 64) };
  }
  // It is not the size of the disk that is too small.
  return compat;
}

function isEnough(
  disk: SizedDisk,
  {
    size,
    tree,
    identifiers,
  }: { readonly size: ImageSize; readonly tree: TreeSize; readonly identifiers: Identifiers },
): boolean {
  try {
    return rootHasRoom(layOutDisk(disk, size, identifiers), tree);
  } catch (error) {
    if (error instanceof Failed) {
      // Partitions of a fixed size want a larger disk; what the host cannot do it cannot do on any.
      return error.failure.kind !== 'config';
    }
    throw error;
  }
}

/** The layout for that size. @throws Failed `config`, `host`. */
export function layOutDisk(disk: SizedDisk, size: ImageSize, identifiers: Identifiers): DiskPlan {
  const { blockSize } = disk.build.plan.disk;
  return planDisk(disk.graph, {
    imageSizeKiB: size.sizeKiB,
    rootMkfsOptions: size.mkfsOptions,
    identifiers,
    ...(blockSize === undefined ? {} : { sectorBytes: blockSize }),
  });
}
