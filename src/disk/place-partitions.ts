/**
 * Partitions to sectors.
 *
 *     MBR  | gap | primary 1 | ... | EBR gap | logical 5 | EBR gap | logical 6 | ...
 *                                  └────────────── extended ──────────────────────
 *     GPT  | gap | 1 | 2 | ... | backup table |
 *
 * A partition starts on a multiple of the alignment; its size is rounded down, to sectors or to
 * what the table's row says. A logical partition costs one alignment unit for its EBR. Compat.
 * Source: dib-contract, "Modules".
 */
import type { Problems } from '../plan/problems.ts';
import type { PartitionNode, TableNode } from './config.ts';
import { MIB, portionBytes, roundDown, roundUp } from './sizes.ts';
import { EXTENDED_TYPE, TABLE_FORMATS, type TableFormat } from './table-labels.ts';

export interface PartitionLayout {
  readonly name: string;
  /** The number in the partition table: logical ones start at 5. */
  readonly index: number;
  readonly role: 'primary' | 'extended' | 'logical';
  readonly startSector: number;
  readonly sectors: number;
  /** Of a logical one: where the record lies that describes it. */
  readonly ebrSector?: number;
  /** Hexadecimal digits for MBR, a GUID for GPT. */
  readonly type: string;
  readonly bootable: boolean;
}

export interface DiskGeometry {
  readonly diskBytes: number;
  readonly sectorBytes: number;
}

/**
 * The partitions of a table, an extended one included, in the order of their starts. What does not
 * fit or makes no sense is added to `problems`; the result is then not to be used.
 */
export function placePartitions(
  table: TableNode,
  geometry: DiskGeometry,
  problems: Problems,
): PartitionLayout[] {
  const format = TABLE_FORMATS[table.label];
  const alignBytes = format.alignBytes ?? table.alignBytes;
  if (alignBytes < geometry.sectorBytes || alignBytes % geometry.sectorBytes !== 0) {
    problems.add(
      `Key "align" of partitioning "${table.name}" is ${alignBytes} bytes, expected a multiple of ${geometry.sectorBytes}`,
      table.at,
    );
    return [];
  }
  const placer = new Placer({ table, format, alignBytes, geometry, problems });
  for (const partition of table.partitions) {
    placer.place(partition);
  }
  return placer.finish();
}

interface PlacerInput {
  readonly table: TableNode;
  readonly format: TableFormat;
  readonly alignBytes: number;
  readonly geometry: DiskGeometry;
  readonly problems: Problems;
}

class Placer {
  readonly #input: PlacerInput;
  readonly #placed: PartitionLayout[] = [];
  #nextFreeBytes: number;
  #askedBytes = 0;
  /** Where the extended partition starts, once there is one. */
  #extendedBytes: number | undefined;
  #numbered = 0;
  #logicals = 0;

  constructor(input: PlacerInput) {
    this.#input = input;
    this.#nextFreeBytes = input.alignBytes;
  }

  place(partition: PartitionNode): void {
    const { format, geometry } = this.#input;
    this.#checkNames(partition);
    const logical = format.logical && !partition.flags.includes('primary');
    const asked = portionBytes(partition.size, this.#freeBytes());
    const sizeBytes = roundDown(asked, format.grainBytes ?? geometry.sectorBytes);
    this.#askedBytes += asked;
    if (sizeBytes === 0 && (partition.size.kind === 'bytes' || this.#freeBytes() > 0)) {
      this.#problem(partition, `Partition "${partition.name}" has no size`);
    }
    if (logical) {
      this.#openExtended(partition);
    } else if (this.#extendedBytes !== undefined) {
      this.#problem(partition, `Primary partition "${partition.name}" follows a logical one`);
    }
    // The EBR lies at the start of the gap, so the partition starts one unit later.
    const startBytes = this.#nextFreeBytes + (logical ? this.#input.alignBytes : 0);
    this.#numbered += logical ? 0 : 1;
    this.#logicals += logical ? 1 : 0;
    this.#placed.push({
      name: partition.name,
      index: logical ? 4 + this.#logicals : this.#numbered,
      role: logical ? 'logical' : 'primary',
      startSector: startBytes / geometry.sectorBytes,
      sectors: sizeBytes / geometry.sectorBytes,
      ...(logical ? { ebrSector: this.#nextFreeBytes / geometry.sectorBytes } : {}),
      type: this.#type(partition),
      bootable: format.logical && partition.flags.includes('boot'),
    });
    this.#nextFreeBytes = roundUp(startBytes + sizeBytes, this.#input.alignBytes);
  }

  finish(): PartitionLayout[] {
    const { table, format, geometry } = this.#input;
    if (this.#numbered > format.most) {
      const counted = format.logical ? 'primary and extended partitions' : 'partitions';
      this.#input.problems.add(
        `"${table.name}" has ${this.#numbered} ${counted}, ${table.label} takes ${format.most}`,
        table.at,
      );
    }
    if (geometry.diskBytes / geometry.sectorBytes > format.mostSectors) {
      this.#input.problems.add(
        `Disk "${table.base}" is too large for label "${table.label}"`,
        table.at,
        'Use label: gpt',
      );
    }
    this.#checkFit();
    return this.#placed;
  }

  /** Compat: one extended partition over the rest of the disk. */
  #openExtended(first: PartitionNode): void {
    if (this.#extendedBytes !== undefined) {
      return;
    }
    const { sectorBytes, diskBytes } = this.#input.geometry;
    this.#extendedBytes = this.#nextFreeBytes;
    this.#numbered += 1;
    this.#placed.push({
      name: `extended for ${first.name}`,
      index: this.#numbered,
      role: 'extended',
      startSector: this.#extendedBytes / sectorBytes,
      sectors: Math.floor((diskBytes - this.#extendedBytes) / sectorBytes),
      type: EXTENDED_TYPE,
      bootable: false,
    });
  }

  #freeBytes(): number {
    const { format, geometry, alignBytes } = this.#input;
    return format.freeBytes({
      diskBytes: geometry.diskBytes,
      alignBytes,
      nextFreeBytes: this.#nextFreeBytes,
      askedBytes: this.#askedBytes,
    });
  }

  #checkNames(partition: PartitionNode): void {
    const { format, table } = this.#input;
    if (format.names?.test(partition.name) === false) {
      this.#problem(
        partition,
        `Label "${table.label}" cannot hold the partition name "${partition.name}"`,
      );
    }
    for (const flag of partition.flags.filter((one) => !format.flags.includes(one))) {
      this.#problem(
        partition,
        `Flag "${flag}" of partition "${partition.name}" does not go with label "${table.label}"`,
      );
    }
  }

  #type(partition: PartitionNode): string {
    const { format, table } = this.#input;
    if (partition.type === undefined) {
      return format.defaultType;
    }
    const type = format.parseType(partition.type);
    if (type === undefined) {
      this.#problem(
        partition,
        `Type "${partition.type}" of partition "${partition.name}" is none for label "${table.label}", expected ${format.typeExample}`,
      );
    }
    return type ?? format.defaultType;
  }

  #checkFit(): void {
    const { geometry, format, table } = this.#input;
    const roomSectors = (geometry.diskBytes - format.tailBytes) / geometry.sectorBytes;
    const parts = this.#placed.filter(({ role }) => role !== 'extended');
    const endSector = Math.max(0, ...parts.map((part) => part.startSector + part.sectors));
    const starved = parts.filter(({ sectors }) => sectors === 0);
    const over = parts.find((part) => part.startSector + part.sectors > roomSectors);
    const first = over ?? (this.#freeBytes() <= 0 ? starved[0] : undefined);
    if (first === undefined) {
      return;
    }
    // A partition that takes what is left wants one unit, and a unit stays free behind it.
    const least = starved.length === 0 ? 0 : (starved.length + 1) * this.#input.alignBytes;
    const neededBytes = endSector * geometry.sectorBytes + Math.max(least, format.tailBytes);
    const neededMiB = Math.ceil(neededBytes / MIB);
    const haveMiB = Math.floor(geometry.diskBytes / MIB);
    this.#input.problems.add(
      `The partitions of "${table.base}" do not fit: no room for "${first.name}" in the ${haveMiB} MiB of the disk, ${neededMiB} MiB are needed`,
      table.at,
      `Use --image-size ${Math.ceil(neededMiB / 1024)} (GiB) or larger, or make the partitions smaller`,
    );
  }

  #problem(partition: PartitionNode, message: string): void {
    this.#input.problems.add(message, partition.at);
  }
}
