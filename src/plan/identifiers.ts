/**
 * Identifiers of disks, partitions and file systems, derived instead of drawn: the same inputs give
 * the same image, other inputs give other identifiers.
 */
import { createHash } from 'node:crypto';

/** A UUID for a purpose; the same one for the same purpose. */
export type Identifiers = (purpose: string) => string;

/** UUIDs derived from a seed: a digest of the build's inputs, or something random. */
export function identifiersFrom(seed: string): Identifiers {
  return (purpose) => {
    const digest = createHash('sha256').update(`${seed}\0${purpose}`).digest();
    // RFC 9562: version 8 is for UUIDs of one's own making; variant 0b10.
    digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
    digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
    const hex = digest.toString('hex', 0, 16);
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20),
    ].join('-');
  };
}

/** What makes one image another one than the next, as far as it is known before the disk is made. */
export interface SeedInputs {
  readonly arch: string;
  readonly elements: readonly string[];
  readonly packages: readonly string[];
  /** The request for the disk and its configuration. */
  readonly disk: unknown;
  /** Variables by name, without those that only say where and how the build runs. */
  readonly variables: Readonly<Record<string, string>>;
  /**
   * Paths of the hook tree, sorted. Not what is in them: whoever works on a hook builds the same image
   * again and again, and new identifiers would have its boot loader made anew each time.
   */
  readonly hooks: readonly string[];
  /** Seconds: it moves with the mirror. */
  readonly sourceDate: number;
  /** `DIB_IMAGE_SEED`. */
  readonly seed: string;
}

/** The seed of identifiers: a digest in which the order of keys does not count. */
export function seedFrom(inputs: SeedInputs): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(inputs)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, each]) => [key, sorted(each)]),
  );
}

/** Variables of ours that say where, how fast and how loudly an image is built, but not which. */
const ABOUT_THE_RUN = new Set([
  'DIB_ARGS',
  'DIB_CACHE_FROM',
  'DIB_CACHE_MAX_AGE',
  'DIB_CACHE_SIZE',
  'DIB_CHECKSUM',
  'DIB_DEBUG_TRACE',
  'DIB_ENV',
  'DIB_FETCH_TIMEOUT',
  'DIB_GZIP_BIN',
  'DIB_IMAGE_CACHE',
  'DIB_IMAGE_SEED',
  'DIB_LOCKFILES',
  'DIB_LOCK_WAIT',
  'DIB_MANIFEST_SAVE_DIR',
  'DIB_MIN_TMPFS',
  'DIB_NO_LAYERS',
  'DIB_NO_TIMESTAMP',
  'DIB_NO_TMPFS',
  'DIB_OFFLINE',
  'DIB_PYTHON_EXEC',
  'DIB_QUIET',
]);

/** The variables that may make an image another one: `DIB_*`, less those about the run. */
export function variablesThatCount(
  environment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) =>
        name.startsWith('DIB_') && !name.startsWith('DIB_SHOW_') && !ABOUT_THE_RUN.has(name),
    ),
  );
}
