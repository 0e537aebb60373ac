/** The checksum file of a mirror as the cache has it: no network here, and little to load. */
import { readFile, stat } from 'node:fs/promises';
import { type ChecksumLookup, lookUpChecksum, type Sha256 } from './checksum.ts';
import { readRecord, type VerifiedRecord } from './record.ts';

/** Where a file's digest is published, and where that is kept. */
export interface SumsSpec {
  readonly url: string;
  readonly cachePath: string;
  /** The file's name in there. */
  readonly name: string;
}

/** A lookup, with the server's date of the list that it was made in. */
export type SumsLookup = ChecksumLookup & { readonly lastModified?: string };

/** The digest in a list that somebody has fetched after `since`, milliseconds since the epoch. */
export async function readSumsSince(spec: SumsSpec, since: number): Promise<Sha256 | undefined> {
  const kept = await readRecord(spec.cachePath);
  const lookup =
    kept !== undefined && isNewEnough(kept, spec, since) ? await readSums(spec) : undefined;
  return lookup?.kind === 'found' ? lookup.sha256 : undefined;
}

/** Whether the list was fetched from there after `since`, milliseconds since the epoch. */
export function isNewEnough(
  kept: VerifiedRecord,
  spec: SumsSpec,
  since: number | undefined,
): boolean {
  const fetchedAt = Date.parse(kept.verifiedAt);
  // One of the future is from before the clock was set back.
  return (
    kept.url === spec.url && since !== undefined && fetchedAt > since && fetchedAt <= Date.now()
  );
}

/** What the list in the cache says, without the network. */
export async function readSums(spec: SumsSpec): Promise<SumsLookup> {
  try {
    const text = await readFile(spec.cachePath, 'utf8');
    const kept = await readRecord(spec.cachePath);
    const date = kept?.lastModified ?? (await stat(spec.cachePath)).mtime.toUTCString();
    return { ...lookUpChecksum(text, spec.name), lastModified: date };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return { kind: 'missing', reason: 'it is not in the cache' };
    }
    throw error;
  }
}
