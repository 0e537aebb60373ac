/** A disk's partitions as sfdisk tells them. Pure. Source: sfdisk(8), `--json`. */

export interface PartitionFacts {
  /** Its number; `disk` where there is no table and the disk is all there is. */
  readonly name: string;
  readonly startByte: number;
  readonly sizeBytes: number;
  /** What else the table says of it. */
  readonly facts: Readonly<Record<string, string>>;
}

export interface DiskFacts {
  /** What the table says of the whole disk. */
  readonly facts: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionFacts[];
}

interface Table {
  readonly partitions?: readonly Readonly<Record<string, string | number | boolean>>[];
  readonly sectorsize?: number;
  readonly [fact: string]: unknown;
}

/** The partitions of a disk of `diskBytes`; `json` is undefined where sfdisk found no table. */
export function parsePartitions(json: string | undefined, diskBytes: number): DiskFacts {
  if (json === undefined) {
    const whole = { name: 'disk', startByte: 0, sizeBytes: diskBytes, facts: {} };
    return { facts: { label: 'none', bytes: String(diskBytes) }, partitions: [whole] };
  }
  const table = (JSON.parse(json) as { partitiontable: Table }).partitiontable;
  const { partitions = [], sectorsize = 512, device: _, ...facts } = table;
  return {
    facts: { ...asText(facts), bytes: String(diskBytes) },
    partitions: partitions.map(({ node, ...partition }) => ({
      name: /\d+$/.exec(String(node))?.[0] ?? String(node),
      startByte: Number(partition.start) * sectorsize,
      sizeBytes: Number(partition.size) * sectorsize,
      facts: asText(partition),
    })),
  };
}

function asText(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, String(value)]));
}
