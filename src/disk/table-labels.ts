/**
 * Partition tables, as rows: what a label allows, how it rounds and what it keeps for itself.
 *
 * Compat: alignment, rounding and what counts as free, so that a configuration gives the sectors
 * that upstream gives. Source: dib-contract, "Modules", MBR writer and GPT.
 */
import type { TableLabel } from './config.ts';
import { MIB } from './sizes.ts';

/** Where the next partition may start and what was asked for so far. All in bytes. */
export interface Progress {
  readonly diskBytes: number;
  readonly alignBytes: number;
  readonly nextFreeBytes: number;
  /** The sum of the sizes before rounding. */
  readonly askedBytes: number;
}

export interface TableFormat {
  /** Absent: the configuration's `align` counts. */
  readonly alignBytes?: number;
  /** Sizes are rounded down to this; absent: to sectors. */
  readonly grainBytes?: number;
  /** What a percentage is taken of. */
  readonly freeBytes: (progress: Progress) => number;
  /** Behind the last partition, for the table itself. */
  readonly tailBytes: number;
  /** Partitions with a number of their own, an extended one included. */
  readonly most: number;
  /** Whether partitions that are not flagged `primary` lie in an extended one. */
  readonly logical: boolean;
  readonly flags: readonly string[];
  /** What a partition may be called, where the table keeps names. */
  readonly names?: RegExp;
  /** 32-bit sector numbers. */
  readonly mostSectors: number;
  readonly defaultType: string;
  /** The type in the table (hexadecimal digits, a GUID) as a configuration writes it; undefined when there is none. */
  readonly parseType: (text: string) => string | undefined;
  /** What a type looks like, for messages. */
  readonly typeExample: string;
}

export const TABLE_FORMATS: Readonly<Record<TableLabel, TableFormat>> = {
  mbr: {
    freeBytes: ({ diskBytes, nextFreeBytes, alignBytes }) =>
      diskBytes - (nextFreeBytes + alignBytes),
    tailBytes: 0,
    most: 4,
    logical: true,
    flags: ['boot', 'primary'],
    mostSectors: 2 ** 32 - 1,
    defaultType: '83',
    parseType: parseMbrType,
    typeExample: 'a hexadecimal number such as 0x83',
  },
  gpt: {
    alignBytes: MIB,
    grainBytes: MIB,
    freeBytes: ({ diskBytes, askedBytes }) => diskBytes - 2 * MIB - askedBytes,
    tailBytes: MIB,
    most: 128,
    logical: false,
    // Compat: `boot` has no meaning here and does no harm.
    flags: ['boot'],
    // UEFI 2.10, 5.3.3: 36 UTF-16 units; quotes would confuse who reads `sfdisk --dump`.
    names: /^[^"\\\p{Cc}]{1,36}$/u,
    mostSectors: Number.MAX_SAFE_INTEGER,
    defaultType: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
    parseType: parseGptType,
    typeExample: 'a code such as 8300 or a GUID',
  },
};

/** The type of the container of logical partitions. */
export const EXTENDED_TYPE = 'f';

function parseMbrType(text: string): string | undefined {
  const digits = /^(?:0x)?([0-9a-fA-F]{1,2})$/.exec(text)?.[1];
  const type = digits === undefined ? 0 : Number.parseInt(digits, 16);
  return type === 0 ? undefined : type.toString(16);
}

export const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
export const BIOS_BOOT_TYPE = '21686148-6449-6E6F-744E-656564454649';

/** sgdisk's codes. Source: sgdisk(8), UEFI 2.10 table 5.7, Discoverable Partitions Specification. */
const GPT_CODES: Readonly<Record<string, string>> = {
  '0700': 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
  '4100': '9E1A2D38-C612-4316-AA26-8B49521E5A8B',
  '8200': '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  '8300': '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  '8302': '933AC7E1-2EB4-4F13-B844-0E14E2AEF915',
  '8303': '44479540-F297-41B2-9AF7-D131D5F0458A',
  '8304': '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  '8305': 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
  '8306': '3B8F8425-20E0-4F3B-907F-1A25A76F98E8',
  '8307': '69DAD710-2CE4-4E3C-B16C-21A1D49ABED3',
  '8E00': 'E6D6D379-F507-44C2-A23C-238F2A3DF928',
  EA00: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  EF00: ESP_TYPE,
  EF02: BIOS_BOOT_TYPE,
  FD00: 'A19D880F-05FC-4D3B-A006-743F0F84911E',
};

function parseGptType(text: string): string | undefined {
  if (/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)) {
    return text.toUpperCase();
  }
  const code = text.replace(/^0x/, '').toUpperCase();
  return Object.hasOwn(GPT_CODES, code) ? GPT_CODES[code] : undefined;
}
