/** Room on the host and in the image, looked at before what needs it is written. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import {
  doesNotFit,
  hostBytes,
  leastFileSystemMiB,
  leastImageSize,
  passingBytes,
} from '../disk/does-not-fit.ts';
import { measureNeeds } from '../disk/fit.ts';
import type { DiskPlan } from '../disk/layout.ts';
import { type FileSystemNeed, isLacking } from '../disk/room.ts';
import { GIB } from '../disk/sizes.ts';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { freeSpace } from '../events/free-space.ts';
import { type FreeSpace, noRoom } from '../events/no-room.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { identifiersFrom } from '../plan/identifiers.ts';
import { outputDirectory } from '../plan/output-directory.ts';
import { imageSizeOf, layOutDisk, type SizedDisk } from './disk-size.ts';
import type { BuildPaths } from './environment.ts';

/** Nobody builds anything in less. */
const LEAST_BYTES = 2 ** 20;
const LEAST_INODES = 64;

/** Refuses a host whose file systems are full already. @throws Failed `disk-full`. */
export async function assertSomeRoom(plan: BuildPlan): Promise<void> {
  const { cwd } = plan.image;
  const places = [
    {
      directory: plan.work.tmpDir,
      what: 'work files',
      hint: 'Point TMPDIR at another file system',
    },
    {
      directory: path.resolve(cwd, plan.work.imageCache),
      what: 'the image cache',
      hint: 'dibkit cache prune --max-size GiB makes room; --image-cache chooses another place',
    },
    {
      directory: outputDirectory(plan),
      what: 'images',
      hint: 'Choose another directory with -o',
    },
  ];
  for (const { directory, what, hint } of places) {
    // What is not there is told by whoever makes it.
    const free = await freeSpace(directory).catch(() => undefined);
    if (free !== undefined && isFull(free)) {
      throw noRoom({ what, directory, free, hints: [hint] });
    }
  }
}

function isFull({ freeBytes, freeInodes }: FreeSpace): boolean {
  return freeBytes < LEAST_BYTES || (freeInodes !== undefined && freeInodes < LEAST_INODES);
}

export interface DiskToWrite extends SizedDisk {
  readonly paths: BuildPaths;
}

/**
 * Refuses a disk that the tree does not fit on, or that does not fit on the host. File systems that only their own tools
 * know are left to those. `places`: as they are before the disk is written.
 *
 * @throws Failed `config` with what is needed and which size would do, `disk-full`.
 */
export async function assertDiskFits(
  disk: DiskToWrite,
  plan: DiskPlan,
  { places, context }: { readonly places: readonly Place[]; readonly context: Context },
): Promise<void> {
  const tree = disk.paths.targetRoot;
  const isWrong = (needs: readonly FileSystemNeed[]): boolean =>
    needs.some(isLacking) ||
    places.some((place) => place.neededBytes(needs) > place.free.freeBytes);
  if (!isWrong(await measureNeeds(plan, { tree, exact: false }, context))) {
    return;
  }
  // Blocks of zeros take no room, so that it may fit all the same.
  const needs = await measureNeeds(plan, { tree, exact: true }, context);
  const lacking = needs.find(isLacking);
  if (lacking !== undefined) {
    throw doesNotFit(lacking.fs, hintsFor(disk, needs, lacking), lacking);
  }
  for (const { at, what, free, neededBytes } of places) {
    const bytes = neededBytes(needs);
    if (bytes > free.freeBytes) {
      const hints = [hostHint(disk, at, free), ...largest(needs[0])];
      throw noRoom({ what, directory: at, free, neededBytes: bytes, hints });
    }
  }
}

/** A directory on the host, and what it needs to have room for. */
export interface Place {
  readonly at: string;
  readonly what: string;
  readonly free: FreeSpace;
  readonly neededBytes: (needs: readonly FileSystemNeed[]) => number;
}

/** The disks go to one, the parts of volumes that lie in pieces to the other, which may be on the same file system. */
export async function placesOf(directory: string, workDir: string): Promise<readonly Place[]> {
  const [disks, parts] = await Promise.all([stat(directory), stat(workDir)]);
  const free = await freeSpace(directory);
  if (disks.dev === parts.dev) {
    const neededBytes = (needs: readonly FileSystemNeed[]): number =>
      hostBytes(needs) + passingBytes(needs);
    return [{ at: directory, what: 'the disk', free, neededBytes }];
  }
  return [
    { at: directory, what: 'the disk', free, neededBytes: hostBytes },
    {
      at: workDir,
      what: 'a volume of the disk',
      free: await freeSpace(workDir),
      neededBytes: passingBytes,
    },
  ];
}

function hostHint({ build }: DiskToWrite, directory: string, { inMemory }: FreeSpace): string {
  if (path.dirname(directory) === outputDirectory(build.plan)) {
    return 'Choose another directory with -o, or make room there';
  }
  return inMemory
    ? 'Build on disk, with --no-tmpfs'
    : 'Point TMPDIR at a larger file system, or make room there';
}

function hintsFor(
  disk: DiskToWrite,
  needs: readonly FileSystemNeed[],
  lacking: FileSystemNeed,
): readonly string[] {
  return [sizeHint(disk, needs, lacking), ...inodeHint(lacking), ...largest(lacking)];
}

function sizeHint(
  disk: DiskToWrite,
  needs: readonly FileSystemNeed[],
  lacking: FileSystemNeed,
): string {
  const request = disk.build.plan.disk;
  const identifiers = identifiersFrom('sizes do not depend on them');
  const planOf = (imageSize: number): DiskPlan | undefined => {
    try {
      const size = imageSizeOf(disk, 0, { ...request, imageSize });
      return layOutDisk(disk, size, identifiers);
    } catch (error) {
      if (error instanceof Failed) {
        return undefined;
      }
      throw error;
    }
  };
  const { imageSize } = request;
  const least = leastImageSize(needs, planOf, imageSize ?? lacking.fs.sizeBytes / GIB);
  if (least !== undefined) {
    return imageSize === undefined
      ? `Use --image-size ${least} (GiB) or larger`
      : `Use --image-size ${least} (GiB) or larger instead of ${imageSize} (--image-size or DIB_IMAGE_SIZE); without any the size is computed`;
  }
  const spec = disk.graph.fileSystems.find(({ name }) => name === lacking.fs.name);
  const mib = leastFileSystemMiB(lacking);
  const at = spec === undefined ? '' : ` in ${spec.at.file}:${spec.at.line ?? 1}`;
  return mib === undefined
    ? `No size of "${lacking.fs.name}"${at} would do with these options of mkfs`
    : `Give "${lacking.fs.name}"${at} a disk or a partition of ${mib} MiB or more`;
}

function inodeHint({ fs, need, room }: FileSystemNeed): readonly string[] {
  return need.inodes > room.freeInodes && fs.options.some((word) => /^-[NiT]/.test(word))
    ? [`Or more inodes: --mkfs-options '-N ${Math.ceil((need.inodes * 1.05) / 100) * 100}'`]
    : [];
}

function largest(need: FileSystemNeed | undefined): readonly string[] {
  return need?.largest === undefined ? [] : [`The largest directories: ${need.largest}`];
}
