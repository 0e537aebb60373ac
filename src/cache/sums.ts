/** The checksum file of a mirror: fetched, kept in the cache, and asked for one name. */
import { readFile } from 'node:fs/promises';
import { lookUpChecksum, type Sha256 } from './checksum.ts';
import { type FetchContext, fetchFile } from './fetch-file.ts';
import { PartialFile } from './partial-file.ts';
import { readRecord, writeRecord } from './record.ts';
import { isNewEnough, readSums, type SumsLookup, type SumsSpec } from './sums-cache.ts';

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
      await partial.publishAs(spec.cachePath);
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
