/**
 * Logical volumes to extents of physical volumes.
 *
 *     physical volume   | label, metadata: 1 MiB | extent 0 | extent 1 | ... | rest |
 *
 * A logical volume gets extents next to each other on the first physical volume that has so many left;
 * only where none has, it goes on from one to the next. Source: lvm2 2.03, lib/format_text/layout.h;
 * lvcreate(8), `--extents`; dib-contract, "Modules".
 */
import type { Identifiers } from '../plan/identifiers.ts';
import type { Problems } from '../plan/problems.ts';
import type { LogicalVolumeNode, LvmNode, VolumeGroupNode, VolumeSize } from './config.ts';
import { MIB, roundDown } from './sizes.ts';

/** A run of bytes of an image. */
export interface Piece {
  readonly image: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface VolumeGroupLayout {
  readonly name: string;
  readonly uuid: string;
  readonly extentBytes: number;
  readonly tags: readonly string[];
  readonly physicalVolumes: readonly PhysicalVolumeLayout[];
  readonly logicalVolumes: readonly LogicalVolumeLayout[];
}

export interface PhysicalVolumeLayout extends Piece {
  readonly name: string;
  readonly uuid: string;
  readonly extents: number;
}

export interface LogicalVolumeLayout {
  readonly name: string;
  readonly uuid: string;
  readonly tags: readonly string[];
  /** In the order of the volume's bytes. */
  readonly segments: readonly VolumeSegment[];
}

export interface VolumeSegment {
  /** The place of the physical volume in the group. */
  readonly physicalVolume: number;
  readonly firstExtent: number;
  readonly extents: number;
}

/** Where the first extent starts: label and metadata come before it. */
export const DATA_OFFSET_BYTES: number = MIB;

export interface VolumesInput {
  /** The bytes of an image or a partition; undefined when that could not be placed. */
  readonly pieceOf: (base: string) => Piece | undefined;
  readonly identifiers: Identifiers;
  readonly problems: Problems;
}

/** The groups of an `lvm` node. What does not fit is added to `problems`; do not use the result then. */
export function placeVolumes(lvm: LvmNode, input: VolumesInput): VolumeGroupLayout[] {
  return lvm.volumes
    .filter((volume) => volume.kind === 'vg')
    .map((group) => placeGroup(group, lvm, input));
}

function placeGroup(
  group: VolumeGroupNode,
  lvm: LvmNode,
  { pieceOf, identifiers, problems }: VolumesInput,
): VolumeGroupLayout {
  const physicalVolumes: PhysicalVolumeLayout[] = [];
  for (const base of group.bases) {
    const node = lvm.volumes.find((one) => one.kind === 'pv' && one.name === base);
    const piece = node && pieceOf(node.bases[0] ?? '');
    if (node === undefined || piece === undefined) {
      continue;
    }
    const extents = Math.floor((piece.sizeBytes - DATA_OFFSET_BYTES) / group.extentBytes);
    if (extents < 1) {
      problems.add(
        `Physical volume "${base}" on "${node.bases[0]}" has no room for an extent: ${inMiB(piece.sizeBytes)}`,
        node.at,
      );
    }
    const uuid = identifiers(`physical-volume ${base}`);
    physicalVolumes.push({ name: base, ...piece, uuid, extents: Math.max(0, extents) });
  }
  const allocator = new Allocator(physicalVolumes);
  const logicalVolumes = lvm.volumes
    .filter((volume) => volume.kind === 'lv')
    .filter((volume) => volume.bases[0] === group.name)
    .map((volume) => ({
      name: volume.name,
      uuid: identifiers(`logical-volume ${volume.name}`),
      tags: volume.tags,
      segments: allocate(volume, group, { allocator, problems }),
    }));
  const { name, extentBytes, tags } = group;
  const uuid = identifiers(`volume-group ${name}`);
  return { name, uuid, extentBytes, tags, physicalVolumes, logicalVolumes };
}

function allocate(
  volume: LogicalVolumeNode,
  group: VolumeGroupNode,
  { allocator, problems }: { readonly allocator: Allocator; readonly problems: Problems },
): VolumeSegment[] {
  const extents = extentsOf(volume.size, group.extentBytes, allocator);
  const { free, all } = allocator;
  // With a physical volume that has no room at all, that was said already.
  if (all > 0 && (extents < 1 || extents > free)) {
    const said =
      extents < 1
        ? `Logical volume "${volume.name}" has no size: it is less than one extent`
        : `Logical volume "${volume.name}" does not fit in volume group "${group.name}"`;
    const unit = inMiB(group.extentBytes);
    problems.add(
      `${said}: ${extents} extents of ${unit} are asked for, ${free} of ${all} are free`,
      volume.at,
      'Use a larger partition or --image-size (GiB), or other values of "size" or "extents"',
    );
    return [];
  }
  return allocator.take(extents);
}

/** Compat: `size` is rounded down to 4 MiB, as upstream tells lvcreate; that rounds up to extents. */
const SIZE_GRAIN_BYTES = 4 * MIB;

function extentsOf(size: VolumeSize, extentBytes: number, { all, free }: Allocator): number {
  switch (size.kind) {
    case 'bytes':
      return Math.ceil(roundDown(size.bytes, SIZE_GRAIN_BYTES) / extentBytes);
    case 'extents':
      return size.extents;
    case 'percent':
      return Math.floor(((size.of === 'all' ? all : free) * size.percent) / 100);
  }
}

/** What is left on each physical volume: always its end, for nothing is ever given back. */
class Allocator {
  readonly all: number;
  readonly #used: number[];
  readonly #sizes: readonly number[];

  constructor(volumes: readonly PhysicalVolumeLayout[]) {
    this.#sizes = volumes.map(({ extents }) => extents);
    this.#used = this.#sizes.map(() => 0);
    this.all = this.#sizes.reduce((sum, one) => sum + one, 0);
  }

  get free(): number {
    return this.#used.reduce((left, used) => left - used, this.all);
  }

  take(extents: number): VolumeSegment[] {
    const whole = this.#sizes.findIndex((_, index) => this.#left(index) >= extents);
    const segments: VolumeSegment[] = [];
    let missing = extents;
    for (let index = Math.max(0, whole); missing > 0 && index < this.#sizes.length; index++) {
      const count = Math.min(missing, this.#left(index));
      if (count > 0) {
        const firstExtent = this.#used[index] ?? 0;
        segments.push({ physicalVolume: index, firstExtent, extents: count });
        this.#used[index] = firstExtent + count;
        missing -= count;
      }
    }
    return segments;
  }

  #left(index: number): number {
    return (this.#sizes[index] ?? 0) - (this.#used[index] ?? 0);
  }
}

/** The bytes of a logical volume, in its order. */
export function piecesOf(group: VolumeGroupLayout, volume: LogicalVolumeLayout): Piece[] {
  return volume.segments.flatMap(({ physicalVolume, firstExtent, extents }) => {
    const below = group.physicalVolumes[physicalVolume];
    return below === undefined
      ? []
      : [
          {
            image: below.image,
            offsetBytes: below.offsetBytes + DATA_OFFSET_BYTES + firstExtent * group.extentBytes,
            sizeBytes: extents * group.extentBytes,
          },
        ];
  });
}

function inMiB(bytes: number): string {
  return `${Math.round((bytes / MIB) * 100) / 100} MiB`;
}
