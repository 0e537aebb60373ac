/** Takes the tar out of an archive: who does it here, and what we do ourselves. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { hostError } from '../events/failure.ts';
import type { ArchiveFormat } from './archive-format.ts';
import { type Decompression, decompressionsOf, packageFor } from './archive-tools.ts';

/** What we read and inflate at once: context switches cost more than memory. */
export const CHUNK_BYTES: number = 1 << 20;
/** What is inflated ahead, so that a reader who is still starting finds work. */
const AHEAD_BYTES = 16 << 20;

/** The best that there is here. @throws Failed `host`, beginning with `because` */
export async function pickDecompression(
  format: ArchiveFormat,
  isInstalled: (tool: string) => Promise<boolean>,
  because: string,
): Promise<Decompression> {
  for (const candidate of decompressionsOf(format)) {
    if (typeof candidate === 'string' || (await isInstalled(candidate[0]))) {
      return candidate;
    }
  }
  throw hostError(
    `${because}: no program for the format ${format} is installed`,
    `Install the package ${packageFor(format)}`,
  );
}

/**
 * The tar in an archive that needs no program; `archive` ends with it, and hands on its errors. As gzip does,
 * it takes several members for one, and refuses what is cut off, damaged, or followed by anything but zeros.
 */
export function withoutProgram(how: 'none' | 'zlib', archive: Readable): Readable {
  if (how === 'none') {
    return archive;
  }
  const tar = createGunzip({ chunkSize: CHUNK_BYTES, ...{ readableHighWaterMark: AHEAD_BYTES } });
  // Its errors are those of `tar`.
  return pipeline(archive, tar, () => {});
}
