/**
 * The nodes of a block-device configuration, as data. `parse-config.ts` makes them, `graph.ts`
 * orders them. Compat: the plugins, their keys and defaults. Source: dib-contract, "Modules".
 */
import type { Place } from '../events/failure.ts';

/** The plugins that a configuration may name. */
export const PLUGINS = ['local_loop', 'partitioning', 'lvm', 'mkfs', 'mount', 'fstab'] as const;

export type PluginName = (typeof PLUGINS)[number];

interface NodeCommon {
  readonly name: string;
  readonly at: Place;
}

/** A disk image. Its file is the caller's business. */
export interface ImageNode extends NodeCommon {
  readonly kind: 'local_loop';
  /** Absent: the size that the build computes. */
  readonly sizeBytes?: number;
  readonly directory?: string;
  readonly sectorBytes?: number;
}

/** A partition table; `base` is the image. */
export interface TableNode extends NodeCommon {
  readonly kind: 'partitioning';
  readonly base: string;
  readonly label: TableLabel;
  readonly alignBytes: number;
  /** In the order of the configuration, which is their order on the disk. */
  readonly partitions: readonly PartitionNode[];
}

export type TableLabel = 'mbr' | 'gpt';

export interface PartitionNode extends NodeCommon {
  readonly kind: 'partition';
  /** The image. */
  readonly base: string;
  readonly size: Portion;
  /** As written: a hexadecimal MBR type, a `sgdisk` code or a GUID. Absent: a Linux file system. */
  readonly type?: string;
  readonly flags: readonly PartitionFlag[];
}

export type PartitionFlag = 'boot' | 'primary';

/** A size: so many bytes, or a share of what is still free. */
export type Portion =
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'percent'; readonly percent: number };

interface VolumeCommon extends NodeCommon {
  /** The nodes it lies on. */
  readonly bases: readonly string[];
}

/** A partition or an image that belongs to a volume group. */
export interface PhysicalVolumeNode extends VolumeCommon {
  readonly kind: 'pv';
}

export interface VolumeGroupNode extends VolumeCommon {
  readonly kind: 'vg';
  /** The unit of room in it. */
  readonly extentBytes: number;
  readonly tags: readonly string[];
}

export interface LogicalVolumeNode extends VolumeCommon {
  readonly kind: 'lv';
  readonly size: VolumeSize;
  readonly tags: readonly string[];
}

/** So many bytes or extents, or a share of all extents of the group or of those still free. */
export type VolumeSize =
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'extents'; readonly extents: number }
  | { readonly kind: 'percent'; readonly percent: number; readonly of: 'all' | 'free' };

export type VolumeNode = PhysicalVolumeNode | VolumeGroupNode | LogicalVolumeNode;

export interface LvmNode extends NodeCommon {
  readonly kind: 'lvm';
  readonly volumes: readonly VolumeNode[];
}

/** A file system; `base` is an image, a partition or a logical volume. */
export interface MkfsNode extends NodeCommon {
  readonly kind: 'mkfs';
  readonly base: string;
  readonly type?: string;
  readonly label?: string;
  /** Options for the mkfs program, already split. */
  readonly options?: readonly string[];
  readonly uuid?: string;
}

/** Where a file system is mounted; `base` is the file system. */
export interface MountNode extends NodeCommon {
  readonly kind: 'mount';
  readonly base: string;
  readonly mountPoint: string;
}

/** A line of `/etc/fstab`; `base` is the mount. */
export interface FstabNode extends NodeCommon {
  readonly kind: 'fstab';
  readonly base: string;
  readonly options: string;
  readonly dumpFreq: number;
  readonly fsckPassno: number;
}

export type ConfigNode = ImageNode | TableNode | LvmNode | MkfsNode | MountNode | FstabNode;

/** Everything that is a node of the graph: a partition table itself is none. */
export type GraphNode = Exclude<ConfigNode, TableNode> | PartitionNode | VolumeNode;
