/**
 * The whole disk as a value: which bytes are what. Nothing here touches a file, and everything
 * that `write.ts` does follows from the plan.
 */
import type { Identifiers } from '../plan/identifiers.ts';
import { Problems } from '../plan/problems.ts';
import type { ImageNode, TableLabel } from './config.ts';
import { type FileSystemSpec, fileSystemType } from './file-systems.ts';
import { fstabText } from './fstab.ts';
import type { DiskGraph } from './graph.ts';
import { fileSystemUuid } from './identifiers.ts';
import { type PartitionLayout, placePartitions } from './place-partitions.ts';
import { type Piece, piecesOf, placeVolumes, type VolumeGroupLayout } from './place-volumes.ts';
import { fitJournal, KIB, MIB, roundUp } from './sizes.ts';
import { ESP_TYPE } from './table-labels.ts';

export interface DiskPlan {
  readonly images: readonly ImageLayout[];
  readonly volumeGroups: readonly VolumeGroupLayout[];
  /** In the order of creation. */
  readonly fileSystems: readonly FileSystemLayout[];
  /** The text of `/etc/fstab`. */
  readonly fstab: string;
}

export interface ImageLayout {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** `none` is a disk that is one file system. */
  readonly label: TableLabel | 'none';
  /** The disk's identifier: `0x` and eight digits, or a UUID. Empty without a label. */
  readonly diskId: string;
  /** In the order of their starts, an extended one included. */
  readonly partitions: readonly IdentifiedPartition[];
}

export interface IdentifiedPartition extends PartitionLayout {
  /** GPT only. */
  readonly uuid?: string;
}

export interface FileSystemLayout {
  readonly name: string;
  readonly image: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** Where its bytes lie when not all are in one run; absent: from `offsetBytes` on. */
  readonly pieces?: readonly Piece[];
  readonly type: string;
  readonly label: string;
  readonly uuid: string;
  /** ext only: the seed of its directory hashes. */
  readonly hashSeed: string;
  /** For the mkfs program, the journal fitted to the size. */
  readonly options: readonly string[];
  /** Whether the partition is an EFI system partition. */
  readonly efiSystem: boolean;
  /** Absent: nothing of the tree goes in. */
  readonly mountPoint?: string;
}

export interface DiskInput {
  /** For images that name no size. */
  readonly imageSizeKiB: number;
  /** Wins over the configuration. */
  readonly sectorBytes?: number;
  /** For a root file system that names none. */
  readonly rootMkfsOptions: readonly string[];
  readonly identifiers: Identifiers;
}

/**
 * The plan of a disk.
 *
 * @throws Failed `config` with everything that does not fit or go together.
 */
export function planDisk(graph: DiskGraph, input: DiskInput): DiskPlan {
  const problems = new Problems();
  const images = graph.images.map((image) => planImage(image, { graph, input, problems }));
  // A volume on a partition that does not fit is not what is wrong.
  problems.throwIfAny();
  const { identifiers } = input;
  const pieceOf = (base: string): Piece | undefined => extentOf(base, { images, volumeGroups: [] });
  const volumeGroups = graph.lvms.flatMap((lvm) =>
    placeVolumes(lvm, { pieceOf, identifiers, problems }),
  );
  problems.throwIfAny();
  const fileSystems = graph.fileSystems.flatMap((spec) => {
    const layout = planFileSystem(spec, { images, volumeGroups }, input);
    return layout === undefined ? [] : [layout];
  });
  return { images, volumeGroups, fileSystems, fstab: fstabText(graph) };
}

interface ImageContext {
  readonly graph: DiskGraph;
  readonly input: DiskInput;
  readonly problems: Problems;
}

function planImage(image: ImageNode, { graph, input, problems }: ImageContext): ImageLayout {
  const sectorBytes = input.sectorBytes ?? image.sectorBytes ?? 512;
  const sizeBytes = roundUp(image.sizeBytes ?? input.imageSizeKiB * KIB, sectorBytes);
  const table = graph.tables.find(({ base }) => base === image.name);
  const common = { name: image.name, sizeBytes, sectorBytes };
  if (table === undefined) {
    return { ...common, label: 'none', diskId: '', partitions: [] };
  }
  const { identifiers } = input;
  const placed = placePartitions(table, { diskBytes: sizeBytes, sectorBytes }, problems);
  const diskUuid = identifiers(`disk ${image.name}`);
  if (table.label === 'mbr') {
    return { ...common, label: 'mbr', diskId: `0x${diskUuid.slice(0, 8)}`, partitions: placed };
  }
  const partitions = placed.map((partition) => ({
    ...partition,
    uuid: identifiers(`partition ${partition.name}`),
  }));
  return { ...common, label: 'gpt', diskId: diskUuid, partitions };
}

function planFileSystem(
  spec: FileSystemSpec,
  places: Places,
  input: DiskInput,
): FileSystemLayout | undefined {
  const extent = extentOf(spec.base, places);
  if (extent === undefined) {
    return undefined;
  }
  const options = spec.options ?? (spec.isRoot ? input.rootMkfsOptions : []);
  const ext = fileSystemType(spec.type)?.fill === 'mke2fs';
  return {
    name: spec.name,
    ...extent,
    type: spec.type,
    label: spec.label,
    uuid: fileSystemUuid(spec, input.identifiers),
    hashSeed: input.identifiers(`hash-seed ${spec.name}`),
    options: ext ? fitJournal(options, extent.sizeBytes) : options,
    ...(spec.mountPoint === undefined ? {} : { mountPoint: spec.mountPoint }),
  };
}

type Extent = Pick<
  FileSystemLayout,
  'image' | 'offsetBytes' | 'sizeBytes' | 'sectorBytes' | 'efiSystem' | 'pieces'
>;

type Places = Pick<DiskPlan, 'images' | 'volumeGroups'>;

/** The bytes of an image, a partition or a logical volume. */
function extentOf(base: string, { images, volumeGroups }: Places): Extent | undefined {
  for (const group of volumeGroups) {
    const volume = group.logicalVolumes.find(({ name }) => name === base);
    const pieces = volume === undefined ? [] : piecesOf(group, volume);
    const [first] = pieces;
    if (first !== undefined) {
      const on = images.filter(({ name }) => pieces.some(({ image }) => image === name));
      return {
        ...first,
        sizeBytes: pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        sectorBytes: Math.max(...on.map(({ sectorBytes }) => sectorBytes)),
        efiSystem: false,
        ...(pieces.length > 1 ? { pieces } : {}),
      };
    }
  }
  for (const { name, sizeBytes, sectorBytes, partitions } of images) {
    if (name === base) {
      return { image: name, offsetBytes: 0, sizeBytes, sectorBytes, efiSystem: false };
    }
    const partition = partitions.find((one) => one.name === base && one.role !== 'extended');
    if (partition !== undefined) {
      return {
        image: name,
        offsetBytes: partition.startSector * sectorBytes,
        sizeBytes: partition.sectors * sectorBytes,
        sectorBytes,
        efiSystem: partition.type === ESP_TYPE || partition.type === 'ef',
      };
    }
  }
  return undefined;
}

/** One line for each partition and file system, for `dibkit plan` and messages. */
export function renderDiskPlan(plan: DiskPlan): string[] {
  const inMiB = (bytes: number): string => `${Math.round((bytes / MIB) * 10) / 10} MiB`;
  return plan.images.flatMap((image) => [
    `${image.name}: ${inMiB(image.sizeBytes)}, ${image.label === 'none' ? 'no partition table' : image.label}`,
    ...image.partitions.map(
      (one) =>
        `  ${one.index} ${one.name}: ${one.role}, start ${one.startSector}, ${inMiB(one.sectors * image.sectorBytes)}, type ${one.type}`,
    ),
    ...plan.fileSystems
      .filter((one) => one.image === image.name)
      .map(
        (one) =>
          `  ${one.type} "${one.label}" on ${one.mountPoint ?? 'none'}: ${inMiB(one.sizeBytes)}`,
      ),
  ]);
}
