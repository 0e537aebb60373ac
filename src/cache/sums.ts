/** The checksum file of a mirror: fetched, kept in the cache, and asked for one name. */
import { readFile, stat } from 'node:fs/promises';
import { type ChecksumLookup, lookUpChecksum, type Sha256 } from './checksum.ts';
import { type FetchContext, fetchFile } from './fetch-file.ts';
import { PartialFile } from './partial-file.ts';
import { publish } from './publish.ts';
import { readRecord, type VerifiedRecord, writeRecord } from './record.ts';

/** Where a file's digest is published, and where that is kept. */
export interface SumsSpec {
  readonly url: string;
  readonly cachePath: string;
  /** The file's name in there. */
  readonly name: string;
}

/** A lookup, with the server's date of the list that it was made in. */
export type SumsLookup = ChecksumLookup & { readonly lastModified?: string };

const MAX_SUMS_BYTES = 16 << 20;

/**
 * Brings the list up to date and looks the name up. `bust`: whatever caches on the way say; `since`,
 * in milliseconds since the epoch: one that somebody has fetched after that is new enough. A list without
 * our file never replaces one that has it.
 *
 * @throws Failed `fetch`.
 */
export async function fetchSums(
  spec: SumsSpec,
  options: { readonly bust: boolean; readonly since?: number },
  context: FetchContext,
): Promise<SumsLookup> {
  const kept = await readRecord(spec.cachePath);
  if (!options.bust && kept !== undefined && isNewEnough(kept, spec, options.since)) {
    return await readSums(spec);
  }
  const unless = !options.bust && kept?.url === spec.url ? { unless: kept } : {};
  await using partial = await PartialFile.open(spec.cachePath);
  try {
    const request = { url: spec.url, partial, bust: options.bust, maxBytes: MAX_SUMS_BYTES };
    const fetched = await fetchFile({ ...request, ...unless }, context);
    if (fetched.kind === 'not-modified') {
      if (kept !== undefined) {
        await writeRecord(spec.cachePath, { ...kept, verifiedAt: new Date().toISOString() });
      }
      return await readSums(spec);
    }
    const lookup = lookUpChecksum(await readFile(partial.path, 'utf8'), spec.name);
    const { etag, lastModified } = fetched.origin;
    const validators = {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { lastModified }),
    };
    if (lookup.kind === 'found') {
      await partial[Symbol.asyncDispose]();
      await publish(partial.path, spec.cachePath);
      await writeRecord(spec.cachePath, {
        sha256: fetched.sha256 satisfies Sha256,
        url: spec.url,
        verifiedAt: new Date().toISOString(),
        ...validators,
      });
    }
    return { ...lookup, ...validators };
  } finally {
    await partial.remove();
  }
}

/** The digest in a list that somebody has fetched after `since`, milliseconds since the epoch. */
export async function readSumsSince(spec: SumsSpec, since: number): Promise<Sha256 | undefined> {
  const kept = await readRecord(spec.cachePath);
  const lookup =
    kept !== undefined && isNewEnough(kept, spec, since) ? await readSums(spec) : undefined;
  return lookup?.kind === 'found' ? lookup.sha256 : undefined;
}

function isNewEnough(kept: VerifiedRecord, spec: SumsSpec, since: number | undefined): boolean {
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
