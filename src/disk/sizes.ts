/**
 * Sizes as block-device configurations write them, and the size of the image.
 */
import type { DiskRequest } from '../plan/build-plan.ts';
import type { Portion } from './config.ts';

export const KIB = 1024;
export const MIB: number = 1024 * KIB;
export const GIB: number = 1024 * MIB;

/** Compat: two letters or one are powers of 1000, `iB` of 1024. Source: dib-contract, "Sizes". */
const UNITS: Readonly<Record<string, number>> = {
  TiB: 1024 ** 4,
  GiB: 1024 ** 3,
  MiB: 1024 ** 2,
  KiB: 1024,
  TB: 1000 ** 4,
  GB: 1000 ** 3,
  MB: 1000 ** 2,
  KB: 1000,
  T: 1000 ** 4,
  G: 1000 ** 3,
  M: 1000 ** 2,
  K: 1000,
  B: 1,
  '': 1,
};

/**
 * The bytes of an absolute size, rounded down; undefined when it is none. Case-sensitive. A unit
 * alone counts once (`GiB` is 1 GiB, compat); an empty text is no size.
 */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d*\.?\d*) ?([a-zA-Z]*)$/.exec(text);
  const [, number = '', unit = ''] = match ?? [];
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  if (match === null || factor === undefined || text === '' || number === '.') {
    return undefined;
  }
  return Math.floor((number === '' ? 1 : Number(number)) * factor);
}

/** An absolute size, or a percentage up to 100; undefined when it is neither. */
export function parsePortion(text: string): Portion | undefined {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?%$/.exec(text);
  if (match !== null) {
    const percent = Number(match[1]);
    return percent > 100 ? undefined : { kind: 'percent', percent };
  }
  const bytes = parseSizeBytes(text);
  return bytes === undefined ? undefined : { kind: 'bytes', bytes };
}

/** The bytes of a portion when `freeBytes` are left, rounded down. */
export function portionBytes(portion: Portion, freeBytes: number): number {
  return portion.kind === 'bytes'
    ? portion.bytes
    : Math.max(0, Math.floor((freeBytes * portion.percent) / 100));
}

export interface ImageSizeInput {
  /** Of the finished tree, as `du -k` counts it. */
  readonly usedKiB: number;
  readonly request: DiskRequest;
  readonly rootFsType: string;
  /** Whether the build has one of the elements with an EFI system partition: `bringsEfi`. */
  readonly efi: boolean;
}

/** Compat: `block-device-efi`, or an element with that in its name. Source: dib-contract, "Image size". */
export function bringsEfi(elements: readonly { readonly name: string }[]): boolean {
  return elements.some(({ name }) => name.includes('block-device-efi'));
}

export interface ImageSize {
  readonly sizeKiB: number;
  /** For the root file system, when its configuration has none of its own. */
  readonly mkfsOptions: readonly string[];
}

/** Room for an EFI system partition and its padding. Source: dib-contract, "Image size". */
const EFI_KIB = 525 * 1024;

/**
 * How large the image is to be, and the options for its root file system. The tree is taken to be
 * 60 % of the image unless a size or an extra size was asked for; the room for EFI comes on top
 * even of an explicit size (compat). A journal that would take half of the disk is made smaller,
 * where upstream fails. Source: dib-contract, "Image size".
 */
export function imageSizeKiB(input: ImageSizeInput): ImageSize {
  const { request } = input;
  const journalMiB = input.rootFsType === 'ext4' ? request.journalSize : 0;
  const contentKiB =
    request.imageSize === undefined
      ? headroomKiB(input) + journalMiB * 1024
      : Math.ceil(request.imageSize * 1024 * 1024);
  const sizeKiB = roundUp(contentKiB + (input.efi ? EFI_KIB : 0), 64);
  return { sizeKiB, mkfsOptions: rootOptions(input) };
}

function headroomKiB({ usedKiB, request }: ImageSizeInput): number {
  return request.extraSize === undefined
    ? Math.floor(usedKiB / 0.6)
    : usedKiB + request.extraSize * 1024;
}

function rootOptions({ request, rootFsType }: ImageSizeInput): string[] {
  const resize =
    request.maxOnlineResize === undefined ? [] : ['-E', `resize=${request.maxOnlineResize}`];
  const ext4 = rootFsType === 'ext4' ? ['-i', '4096', '-J', `size=${request.journalSize}`] : [];
  return [...resize, ...ext4, ...splitOptions(request.mkfsOptions)];
}

/** The words of an option text. Compat: no quoting. */
export function splitOptions(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/**
 * mke2fs refuses a journal of half the file system or more, less its own structures. Measured with
 * 20 to 150 MiB: 49 % is the most it takes.
 */
const JOURNAL_SHARE = 0.48;

/** A journal of 1024 blocks, the least there is, with the usual 4 KiB blocks. */
const SMALLEST_JOURNAL_MIB = 4;

/**
 * The options with a `-J size=` that a file system of this size can hold: the same, a smaller one,
 * or none, which leaves the choice to mke2fs.
 */
export function fitJournal(options: readonly string[], fileSystemBytes: number): string[] {
  const largestMiB = Math.floor((fileSystemBytes / MIB) * JOURNAL_SHARE);
  const fitted: string[] = [];
  for (let at = 0; at < options.length; at++) {
    const [flag = '', value = ''] = [options[at], options[at + 1]];
    const size = flag === '-J' ? /^size=(\d+)$/.exec(value)?.[1] : undefined;
    if (size === undefined || Number(size) <= largestMiB) {
      fitted.push(flag);
      continue;
    }
    at += 1;
    if (largestMiB >= SMALLEST_JOURNAL_MIB) {
      fitted.push('-J', `size=${largestMiB}`);
    }
  }
  return fitted;
}

/** The smallest multiple of `grain` that is not below `value`. */
export function roundUp(value: number, grain: number): number {
  return Math.ceil(value / grain) * grain;
}

/** The largest multiple of `grain` that is not above `value`. */
export function roundDown(value: number, grain: number): number {
  return Math.floor(value / grain) * grain;
}
