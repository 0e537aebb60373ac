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

import path from 'node:path';
import { Failed, failureOf } from '../events/failure.ts';
import { makeNamedDirectories } from '../events/make-directories.ts';
import type { FetchContext } from './fetch-file.ts';
import { acquireLockUnless, type Lock } from './lock.ts';
import { hashFile, readRecord } from './record.ts';
import { readSums, readSumsSince } from './sums-cache.ts';
import {
  adopt,
  knownDigest,
  type VerifiedFetchSpec,
  type VerifiedFile,
  warn,
} from './verified-file.ts';

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
    const { offlineUnverified } = await import('./verify-failures.ts');
    throw offlineUnverified(spec, { expected, sha256 });
  }
  return await adopt(spec, sha256);
}

async function bringUpToDate(
  spec: VerifiedFetchSpec,
  context: FetchContext,
): Promise<VerifiedFile> {
  const since = spec.askedAt ?? Date.now();
  const known = await knownDigest(spec, context);
  // Without a verified file there is nothing to look at before it is our turn.
  const expected =
    known === undefined
      ? undefined
      : await (await loadFetching()).findExpected(spec, { since }, context);
  if (known !== undefined && known === expected?.sha256) {
    return { path: spec.path, sha256: known, how: 'known' };
  }
  await makeNamedDirectories(path.dirname(spec.path));
  const alreadyDone = (): Promise<VerifiedFile | undefined> => findDone(spec, since);
  return await whileLocked({ ...spec, alreadyDone }, context, async (locked) => {
    const { bringUpToDateLocked, findExpected } = await loadFetching();
    const wanted = expected ?? (await findExpected(spec, { since }, locked));
    return await bringUpToDateLocked(spec, wanted, locked);
  });
}

/** Loaded by whoever fetches: of many that want one file, the others only wait for it. */
function loadFetching(): Promise<typeof import('./fetch-verified.ts')> {
  return import('./fetch-verified.ts');
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
