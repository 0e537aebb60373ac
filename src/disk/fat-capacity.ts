/**
 * How many clusters mkfs.vfat leaves for files, where it is told to make FAT32. Pure.
 *
 * Source: dosfstools 4.2, mkfs.fat.c, `setup_tables`.
 */
import { MIB, roundDown, roundUp } from './sizes.ts';

export interface FatCapacity {
  readonly clusterBytes: number;
  readonly clusters: number;
}

const RESERVED_SECTORS = 32;
const FATS = 2;
const ENTRY_BYTES = 4;

/** Disks of up to so many sectors have tracks of 32, others of 63; only whole tracks are used. */
const MOST_SHORT_TRACKS = 524_288;

/** Sectors of 512 bytes in a cluster, by the size of the file system. */
const CLUSTERS: readonly (readonly [aboveMiB: number, sectors: number])[] = [
  [32 * 1024, 64],
  [16 * 1024, 32],
  [8 * 1024, 16],
  [260, 8],
  [0, 1],
];

/** Undefined for another FAT than one of 32 bits, and for options that are not modelled here. */
export function fatCapacity(fs: {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** Of mkfs.vfat. */
  readonly options: readonly string[];
}): FatCapacity | undefined {
  const { sizeBytes, sectorBytes } = fs;
  const options = fs.options.join(' ');
  const [, given] = /^-F 32(?: -s (\d+))?$/.exec(options) ?? [];
  if (!options.startsWith('-F 32') || (given === undefined && options !== '-F 32')) {
    return undefined;
  }
  const sizeMiB = Math.floor(sizeBytes / MIB);
  const usual = (CLUSTERS.find(([above]) => sizeMiB > above)?.[1] ?? 1) * 512;
  const each = given === undefined ? Math.max(1, usual / sectorBytes) : Number(given);
  const all = Math.floor(sizeBytes / sectorBytes);
  const sectors = roundDown(all, all <= MOST_SHORT_TRACKS ? 32 : 63);
  const data = sectors - roundUp(RESERVED_SECTORS, each);
  const guess = Math.floor(
    (data * sectorBytes + FATS * 2 * ENTRY_BYTES) / (each * sectorBytes + FATS * ENTRY_BYTES),
  );
  const fat = roundUp(Math.ceil(((guess + 2) * ENTRY_BYTES) / sectorBytes), each);
  return { clusterBytes: each * sectorBytes, clusters: Math.floor((data - FATS * fat) / each) };
}
