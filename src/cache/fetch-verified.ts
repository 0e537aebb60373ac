/** From a checksum to a file that has it: the part of a verified fetch that needs the network. */
import { failureOf } from '../events/failure.ts';
import type { Sha256 } from './checksum.ts';
import type { Origin } from './download.ts';
import { type FetchContext, fetchFile } from './fetch-file.ts';
import { PartialFile } from './partial-file.ts';
import { quarantine } from './quarantine.ts';
import { hashFile, lastDigest, writeRecord } from './record.ts';
import { fetchSums } from './sums.ts';
import type { SumsSpec } from './sums-cache.ts';
import {
  adopt,
  knownDigest,
  type VerifiedFetchSpec,
  type VerifiedFile,
  warn,
} from './verified-file.ts';
import { mismatch, noChecksum } from './verify-failures.ts';

/** What a file's digest has to be, and who says so. */
export interface Expected {
  readonly sha256: Sha256;
  readonly lastModified?: string;
}

const MAX_IMAGE_BYTES = 256 * 2 ** 30;

/**
 * The checksum that the file has to have; a list that was fetched after `since` is new enough.
 *
 * @throws Failed `fetch`, `verify`.
 */
export async function findExpected(
  spec: VerifiedFetchSpec,
  { since }: { readonly since: number },
  context: FetchContext,
): Promise<Expected> {
  if (spec.digest.kind === 'pinned') {
    return { sha256: spec.digest.sha256 };
  }
  const { sums } = spec.digest;
  const first = await fetchSums(sums, { bust: false, since }, context);
  if (first.kind === 'found') {
    return first;
  }
  warn(`${sums.url}: ${first.reason}; fetching it past all caches`, context);
  const second = await fetchSums(sums, { bust: true }, context);
  if (second.kind === 'found') {
    return second;
  }
  throw noChecksum(spec, sums, second);
}

/** Brings the file up to date while its lock is ours. @throws as verifiedFetch. */
export async function bringUpToDateLocked(
  spec: VerifiedFetchSpec,
  expected: Expected,
  context: FetchContext,
): Promise<VerifiedFile> {
  const known = await knownDigest(spec, context);
  if (known === expected.sha256) {
    return { path: spec.path, sha256: known, how: 'known' };
  }
  if (known === undefined) {
    const sha256 = await hashFile(spec.path, context.signal);
    if (sha256 === expected.sha256) {
      return await adopt(spec, sha256);
    }
    await setAsideDamaged(spec, sha256, context);
  }
  return await fetchVerified(spec, expected, context);
}

/** A file that was verified once and has other content now is nothing to fall back on. */
async function setAsideDamaged(
  spec: VerifiedFetchSpec,
  sha256: Sha256 | undefined,
  context: FetchContext,
): Promise<void> {
  const remembered = await lastDigest(spec.path);
  if (sha256 === undefined || remembered === undefined) {
    return;
  }
  if (remembered === sha256) {
    await adopt(spec, sha256);
    return;
  }
  const kept = await quarantine(spec.path, spec.path, { sha256, now: new Date() });
  warn(`'${spec.path}' is no longer what was verified; kept as '${kept}'`, context);
}

async function fetchVerified(
  spec: VerifiedFetchSpec,
  expected: Expected,
  context: FetchContext,
): Promise<VerifiedFile> {
  let published = expected;
  await using first = await fetchImage(spec, { bust: false }, context);
  if (first.sha256 === published.sha256) {
    return await publishVerified(spec, first);
  }
  warn(`${spec.url} does not have the published checksum`, context);
  if (spec.digest.kind === 'sums') {
    // The list is small: perhaps it is the one that a cache on the way has kept too long.
    published = await findFresh(spec.digest.sums, published, context);
    if (first.sha256 === published.sha256) {
      return await publishVerified(spec, first);
    }
  }
  await first.partial.remove();
  warn(`Fetching ${spec.url} again, past all caches`, context);
  await using second = await fetchImage(spec, { bust: true }, context);
  if (second.sha256 === published.sha256) {
    return await publishVerified(spec, second);
  }
  const detail = { sha256: second.sha256, now: new Date() };
  await second.partial[Symbol.asyncDispose]();
  const kept = await quarantine(second.partial.path, spec.path, detail);
  throw mismatch(spec, { expected: published, origin: second.origin, sha256: second.sha256, kept });
}

async function findFresh(
  sums: SumsSpec,
  before: Expected,
  context: FetchContext,
): Promise<Expected> {
  const lookup = await fetchSums(sums, { bust: true }, context);
  return lookup.kind === 'found' ? lookup : before;
}

interface FetchedImage extends AsyncDisposable {
  readonly partial: PartialFile;
  readonly sha256: Sha256;
  readonly origin: Origin;
}

/** Disposing it removes what has not been published; after a broken connection it is kept. */
async function fetchImage(
  spec: VerifiedFetchSpec,
  options: { readonly bust: boolean },
  context: FetchContext,
): Promise<FetchedImage> {
  const partial = await PartialFile.open(spec.path, options.bust ? undefined : spec.url);
  try {
    const request = { url: spec.url, partial, bust: options.bust, maxBytes: MAX_IMAGE_BYTES };
    const fetched = await fetchFile(request, context);
    if (fetched.kind === 'not-modified') {
      throw new Error('The answer 304 to a question without a condition');
    }
    const { sha256, origin } = fetched;
    return { partial, sha256, origin, [Symbol.asyncDispose]: () => partial.remove() };
  } catch (error) {
    // What a full disk holds of it is in the way; what a server has not yet sent can follow.
    await (failureOf(error).kind === 'fetch' || context.signal.aborted
      ? partial[Symbol.asyncDispose]()
      : partial.remove());
    throw error;
  }
}

async function publishVerified(
  spec: VerifiedFetchSpec,
  { partial, sha256, origin }: FetchedImage,
): Promise<VerifiedFile> {
  await partial.publishAs(spec.path);
  const { etag, lastModified } = origin;
  await writeRecord(spec.path, {
    sha256,
    url: spec.url,
    verifiedAt: new Date().toISOString(),
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  });
  return { path: spec.path, sha256, how: 'fetched' };
}
