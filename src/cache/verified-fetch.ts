/**
 * Files from elsewhere that the cache vouches for: the one way in which elements get base images.
 *
 *     look ─match─▶ done
 *       │ lock, look again ─match─▶ done
 *       ▼
 *     fetch ─match─▶ publish ▶ done
 *       │ mismatch: fetch the sums past all caches ─match─▶ publish ▶ done
 *       │ mismatch: fetch the file past all caches ─match─▶ publish ▶ done
 *       ▼ mismatch
 *     quarantine, fail
 *
 * Beside the file `X`: `X.dib-verified` (what was verified), `X.dib-partial.*` (while it arrives),
 * `X.dib-lock/`, `X.quarantined-*`. Content gets the name `X` only after its digest was right.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Failed, failureOf } from '../events/failure.ts';
import type { Sha256 } from './checksum.ts';
import type { Origin } from './download.ts';
import { type FetchContext, fetchFile } from './fetch-file.ts';
import { acquireLockUnless, type Lock } from './lock.ts';
import { PartialFile } from './partial-file.ts';
import { publish } from './publish.ts';
import { quarantine } from './quarantine.ts';
import { hashFile, lastDigest, readRecord, writeRecord } from './record.ts';
import { fetchSums, readSums, readSumsSince, type SumsSpec } from './sums.ts';
import { mismatch, noChecksum, offlineUnverified } from './verify-failures.ts';

/** What the digest is compared with. */
export type DigestSource =
  | { readonly kind: 'pinned'; readonly sha256: Sha256 }
  | { readonly kind: 'sums'; readonly sums: SumsSpec };

export interface VerifiedFetchSpec {
  readonly url: string;
  /** Where the verified file is to be. */
  readonly path: string;
  readonly digest: DigestSource;
  /** Uses what is cached without the network; only what is not there at all is fetched (compat). */
  readonly offline?: boolean;
  /** Uses an older verified copy when no newer one is to be had. */
  readonly allowStale?: boolean;
  /** Reads the whole file again even if it was verified before. */
  readonly rehash?: boolean;
  readonly lockWaitMs?: number;
  /** For others who wait for us. */
  readonly command?: string;
}

export interface VerifiedFile {
  readonly path: string;
  readonly sha256: Sha256;
  /** `found`: it was there and unknown; `stale`: it is not the newest. */
  readonly how: 'known' | 'found' | 'fetched' | 'stale';
}

/** What a file's digest has to be, and who says so. */
interface Expected {
  readonly sha256: Sha256;
  readonly lastModified?: string;
}

const MAX_IMAGE_BYTES = 256 * 2 ** 30;
const ATTEMPTS_AT_LOCK = 3;

/**
 * Sees to it that `spec.path` is a verified copy of `spec.url`.
 *
 * @throws Failed `verify` (both digests, both URLs, what was kept), `fetch`, `lock-busy`, `config`.
 */
export async function verifiedFetch(
  spec: VerifiedFetchSpec,
  context: FetchContext,
): Promise<VerifiedFile> {
  if (spec.offline === true) {
    const cached = await useCached(spec, context);
    if (cached !== undefined) {
      return cached;
    }
    const text = `Offline, but '${spec.path}' is not in the cache: trying ${spec.url} all the same`;
    context.emit({ kind: 'message', level: 'warning', text });
  }
  try {
    return await bringUpToDate(spec, context);
  } catch (error) {
    return await fallBack(spec, error, context);
  }
}

/** Without the network: what was verified before, or what the list in the cache vouches for. */
async function useCached(
  spec: VerifiedFetchSpec,
  context: FetchContext,
): Promise<VerifiedFile | undefined> {
  const known = await knownDigest(spec, context);
  const pinned = spec.digest.kind === 'pinned' ? spec.digest.sha256 : undefined;
  if (known !== undefined && (pinned === undefined || pinned === known)) {
    return { path: spec.path, sha256: known, how: 'known' };
  }
  const sha256 = known ?? (await hashFile(spec.path, context.signal));
  if (sha256 === undefined) {
    return undefined;
  }
  const lookup = spec.digest.kind === 'sums' ? await readSums(spec.digest.sums) : undefined;
  const expected = pinned ?? (lookup?.kind === 'found' ? lookup.sha256 : undefined);
  if (expected !== sha256) {
    throw offlineUnverified(spec, { expected, sha256 });
  }
  return await adopt(spec, sha256);
}

/** The digest of the file as it was verified, if it still is that file. */
async function knownDigest(
  spec: VerifiedFetchSpec,
  context: FetchContext,
): Promise<Sha256 | undefined> {
  const record = await readRecord(spec.path);
  if (record === undefined || spec.rehash !== true) {
    return record?.sha256;
  }
  const sha256 = await hashFile(spec.path, context.signal);
  return sha256 === record.sha256 ? sha256 : undefined;
}

async function adopt(spec: VerifiedFetchSpec, sha256: Sha256): Promise<VerifiedFile> {
  const verifiedAt = new Date().toISOString();
  // A cache that cannot be written has been read well enough.
  await writeRecord(spec.path, { sha256, url: '', verifiedAt }).catch(() => {});
  return { path: spec.path, sha256, how: 'found' };
}

async function bringUpToDate(
  spec: VerifiedFetchSpec,
  context: FetchContext,
): Promise<VerifiedFile> {
  const since = Date.now();
  const known = await knownDigest(spec, context);
  // Without a verified file there is nothing to look at before it is our turn.
  const expected = known === undefined ? undefined : await findExpected(spec, { since }, context);
  if (known !== undefined && known === expected?.sha256) {
    return { path: spec.path, sha256: known, how: 'known' };
  }
  await mkdir(path.dirname(spec.path), { recursive: true });
  const alreadyDone = (): Promise<VerifiedFile | undefined> => findDone(spec, since);
  return await whileLocked({ ...spec, alreadyDone }, context, async (locked) => {
    const wanted = expected ?? (await findExpected(spec, { since }, locked));
    return await bringUpToDateLocked(spec, wanted, locked);
  });
}

/** What somebody else has brought up to date since we were asked to. */
async function findDone(spec: VerifiedFetchSpec, since: number): Promise<VerifiedFile | undefined> {
  const known = (await readRecord(spec.path))?.sha256;
  if (known === undefined || spec.rehash === true) {
    return undefined;
  }
  const expected =
    spec.digest.kind === 'pinned'
      ? spec.digest.sha256
      : await readSumsSince(spec.digest.sums, since);
  return known === expected ? { path: spec.path, sha256: known, how: 'known' } : undefined;
}

interface Locking extends VerifiedFetchSpec {
  readonly alreadyDone: () => Promise<VerifiedFile | undefined>;
}

/**
 * Does the work while the file's lock is ours; again, when somebody took it from us; not at all when
 * it is done by the time that we could have it.
 */
async function whileLocked(
  spec: Locking,
  context: FetchContext,
  work: (locked: FetchContext) => Promise<VerifiedFile>,
): Promise<VerifiedFile> {
  const { lockWaitMs: waitMs, command } = spec;
  let done: VerifiedFile | undefined;
  const unless = async (): Promise<boolean> => {
    done = await spec.alreadyDone();
    return done !== undefined;
  };
  const options = {
    unless,
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(command === undefined ? {} : { command }),
  };
  for (let attempt = 1; ; attempt += 1) {
    await using lock = await acquireLockUnless(spec.path, options, context);
    if (lock === undefined) {
      return done ?? (await work(context));
    }
    try {
      return await work(withLock(context, lock));
    } catch (error) {
      const wasTaken = lock.signal.aborted && !context.signal.aborted;
      if (!wasTaken || attempt === ATTEMPTS_AT_LOCK) {
        throw error;
      }
      warn(`Somebody took the lock of '${spec.path}' while we slept: starting again`, context);
    }
  }
}

/** The same context, which also ends when somebody takes the lock from us. */
function withLock(context: FetchContext, lock: Lock): FetchContext {
  return { ...context, signal: AbortSignal.any([context.signal, lock.signal]) };
}

async function findExpected(
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

async function bringUpToDateLocked(
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
  await partial[Symbol.asyncDispose]();
  await publish(partial.path, spec.path);
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

/** An older verified copy instead of nothing, where the user allows that. */
async function fallBack(
  spec: VerifiedFetchSpec,
  error: unknown,
  context: FetchContext,
): Promise<VerifiedFile> {
  const failure = failureOf(error);
  const isOurs = failure.kind === 'fetch' || failure.kind === 'verify' || failure.kind === 'config';
  const pinned = spec.digest.kind === 'pinned';
  const known = !isOurs || pinned ? undefined : await knownDigest(spec, context);
  if (known === undefined) {
    throw error;
  }
  const since = (await readRecord(spec.path))?.verifiedAt ?? '';
  if (spec.allowStale === true) {
    warn(
      `${failure.message.split('\n')[0]}; using the copy that was verified at ${since}`,
      context,
    );
    return { path: spec.path, sha256: known, how: 'stale' };
  }
  const hint = [
    ...(failure.hint === undefined ? [] : [failure.hint]),
    `A copy that was verified at ${since} is kept: DIB_FETCH_ALLOW_STALE=1 uses it`,
  ].join('\n');
  throw new Failed({ ...failure, hint }, { cause: error });
}

function warn(text: string, context: FetchContext): void {
  context.emit({ kind: 'message', level: 'warning', text });
}
