/** The output formats, one row each. Source: lib/disk-image-create (compat). */
export interface Format {
  readonly type: string;
  /** What comes after the image's name and a dot; absent: the type. */
  readonly suffix?: string;
  /** What it is made from: the tree of files, or the raw disk. */
  readonly source: 'tree' | 'disk';
  /** Whether an old file of that name is renamed aside rather than replaced (compat). */
  readonly keepsOld: boolean;
  /** It is the image of a container. */
  readonly container?: true;
  /** The programs that make it. */
  readonly tools: readonly FormatTool[];
}

export type FormatTool = 'tar' | 'qemu-img' | 'zstd' | 'xz' | 'mksquashfs';

export const FORMATS: readonly Format[] = [
  { type: 'tar', source: 'tree', keepsOld: false, tools: ['tar'] },
  { type: 'tgz', source: 'tree', keepsOld: true, tools: ['tar'] },
  { type: 'tar.zst', source: 'tree', keepsOld: true, tools: ['tar', 'zstd'] },
  { type: 'tar.xz', source: 'tree', keepsOld: true, tools: ['tar', 'xz'] },
  {
    type: 'squashfs',
    suffix: 'squash',
    source: 'tree',
    keepsOld: false,
    tools: ['tar', 'mksquashfs'],
  },
  { type: 'aci', source: 'tree', keepsOld: false, tools: ['tar'] },
  { type: 'oci', source: 'tree', container: true, keepsOld: true, tools: ['tar'] },
  { type: 'docker', source: 'tree', container: true, keepsOld: true, tools: ['tar'] },
  { type: 'qcow2', source: 'disk', keepsOld: true, tools: ['qemu-img'] },
  { type: 'vmdk', source: 'disk', keepsOld: true, tools: ['qemu-img'] },
  { type: 'vdi', source: 'disk', keepsOld: true, tools: ['qemu-img'] },
  { type: 'vhdx', source: 'disk', keepsOld: true, tools: ['qemu-img'] },
  { type: 'vhd', source: 'disk', keepsOld: true, tools: ['qemu-img'] },
  { type: 'raw.zst', source: 'disk', keepsOld: true, tools: ['zstd'] },
  { type: 'raw.xz', source: 'disk', keepsOld: true, tools: ['xz'] },
  // Last: the others are made from the raw disk before it is moved into place.
  { type: 'raw', source: 'disk', keepsOld: true, tools: [] },
];

export function formatOf(type: string): Format | undefined {
  return FORMATS.find((format) => format.type === type);
}

/** The rows of some types, in the order in which they are written. Unknown types have none. */
export function formatsOf(types: readonly string[]): readonly Format[] {
  return FORMATS.filter((format) => types.includes(format.type));
}

/** The file of an image in that format, as the user named it. */
export function fileName(imageName: string, format: Format): string {
  return `${imageName}.${format.suffix ?? format.type}`;
}
