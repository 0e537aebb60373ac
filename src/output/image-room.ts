/** How much room the images take while they are written. Pure. */
import type { ImagePlan } from '../plan/build-plan.ts';
import type { Compression } from '../plan/container-plan.ts';
import { type Format, formatsOf } from '../plan/formats.ts';
import { mayComeUnordered } from './commands.ts';
import { SUITS } from './container-image.ts';

/** What the images are made of. */
export interface ImageContent {
  /** A plain tar of the tree. */
  readonly archiveBytes: number;
  /** What holds data of each raw disk; the first is the one that all formats are made of. */
  readonly diskBytes: readonly number[];
  /** What deflate leaves of the content, from 0 to 1. */
  readonly share: number;
}

export type ImagesToBe = Pick<ImagePlan, 'types' | 'compress' | 'qemuImgOptions'> & {
  /** Of layers; absent: as the format has it. */
  readonly compression?: Compression;
};

/**
 * `most`: more is never taken. `expected`: as far as one knows. `least`: what is refused when there is less,
 * so that nothing is refused that would fit.
 */
export type Judgement = 'most' | 'expected' | 'least';

type Packing = 'gzip' | 'zstd' | 'xz';

/** Beside deflate on 64 KiB at a time. Measured on /usr: zstd 0.91 to 0.94, xz 0.63 to 0.89. */
const BESIDE_DEFLATE: Readonly<Record<Packing, number>> = { gzip: 1, zstd: 0.92, xz: 0.65 };

/** Of a guess: what is alike far apart a sample does not see. */
const LEAST_OF_GUESS = 0.5;

/** Of a disk's blocks: some are allocated and hold nothing. */
const LEAST_OF_DISK = 0.9;

/** Headers, tables and counts. */
const MOST_BESIDE = 1.02;

/**
 * The bytes that the images need beside each other when there is most of them: one comes after the other, and a
 * qcow2 that is put in order may be there twice for a moment (see `order-qcow2.ts`).
 */
export function imageRoom(image: ImagesToBe, content: ImageContent, as: Judgement): number {
  // The raw disk is there already.
  const formats = formatsOf(image.types).filter(({ type }) => type !== 'raw');
  const stepOf = (format: Format, bytes: number): Step => {
    const kept = judged(bytes, { format, packing: packingOf(format, image), content, as });
    const isTwice = as !== 'least' && mayBeTwice(format, image);
    return { kept, passing: isTwice ? kept : 0 };
  };
  const ofDisk = formats.filter(({ source }) => source === 'disk');
  const [first = 0, ...others] = content.diskBytes;
  return peakOf([
    ...formats.map((format) =>
      stepOf(format, format.source === 'tree' ? content.archiveBytes : first),
    ),
    ...others.flatMap((bytes) => ofDisk.map((format) => stepOf(format, bytes))),
  ]);
}

/** Whether some are compressed, so that nobody knows. */
export function isGuess(image: ImagesToBe): boolean {
  return formatsOf(image.types).some((format) => packingOf(format, image) !== undefined);
}

/** Whether one may be there twice for a moment. */
export function mayNeedTwice(image: ImagesToBe): boolean {
  return formatsOf(image.types).some((format) => mayBeTwice(format, image));
}

interface Step {
  readonly kept: number;
  /** Needed beside what is kept, until the step ends. */
  readonly passing: number;
}

function peakOf(steps: readonly Step[]): number {
  let kept = 0;
  let peak = 0;
  for (const step of steps) {
    peak = Math.max(peak, kept + step.kept + step.passing);
    kept += step.kept;
  }
  return peak;
}

function mayBeTwice({ type }: Format, image: ImagesToBe): boolean {
  return mayComeUnordered({ name: type }, image);
}

function packingOf({ type }: Format, image: ImagesToBe): Packing | undefined {
  switch (type) {
    case 'tgz':
      return 'gzip';
    case 'tar.zst':
    case 'raw.zst':
      return 'zstd';
    case 'tar.xz':
    case 'raw.xz':
    case 'squashfs':
      return 'xz';
    case 'qcow2':
      return image.compress ? 'zstd' : optionsPack(image);
    case 'vmdk':
    case 'vdi':
    case 'vhdx':
    case 'vhd':
      return optionsPack(image);
    case 'oci':
    case 'docker': {
      const compression = image.compression ?? SUITS[type];
      return compression === 'none' ? undefined : compression;
    }
    default:
      return undefined;
  }
}

/** `subformat=streamOptimized`, for one, compresses. */
function optionsPack({ qemuImgOptions }: ImagesToBe): Packing | undefined {
  return (qemuImgOptions ?? '') === '' ? undefined : 'zstd';
}

function judged(
  bytes: number,
  {
    format,
    packing,
    content,
    as,
  }: {
    readonly format: Format;
    readonly packing: Packing | undefined;
    readonly content: Pick<ImageContent, 'share'>;
    readonly as: Judgement;
  },
): number {
  if (as === 'most') {
    return bytes * MOST_BESIDE;
  }
  if (packing !== undefined) {
    const guess = bytes * content.share * BESIDE_DEFLATE[packing];
    return as === 'least' ? guess * LEAST_OF_GUESS : guess;
  }
  return as === 'least' && format.source === 'disk' ? bytes * LEAST_OF_DISK : bytes;
}
