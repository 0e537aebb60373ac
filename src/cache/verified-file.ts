/** What a verified file of the cache is, and how one that is there is known to be one. */
import type { Context } from '../events/event.ts';
import type { Sha256 } from './checksum.ts';
import { hashFile, readRecord, writeRecord } from './record.ts';
import type { SumsSpec } from './sums-cache.ts';

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
  /** Milliseconds since the epoch: what was published then is new enough. Default: now. */
  readonly askedAt?: number;
  /** For others who wait for us. */
  readonly command?: string;
}

export interface VerifiedFile {
  readonly path: string;
  readonly sha256: Sha256;
  /** `found`: it was there and unknown; `stale`: it is not the newest. */
  readonly how: 'known' | 'found' | 'fetched' | 'stale';
}

/** The digest of the file as it was verified, if it still is that file. */
export async function knownDigest(
  spec: VerifiedFetchSpec,
  context: Pick<Context, 'signal'>,
): Promise<Sha256 | undefined> {
  const record = await readRecord(spec.path);
  if (record === undefined || spec.rehash !== true) {
    return record?.sha256;
  }
  const sha256 = await hashFile(spec.path, context.signal);
  return sha256 === record.sha256 ? sha256 : undefined;
}

/** Takes a file that was there for what its digest says it is. */
export async function adopt(spec: VerifiedFetchSpec, sha256: Sha256): Promise<VerifiedFile> {
  const verifiedAt = new Date().toISOString();
  // A cache that cannot be written has been read well enough.
  await writeRecord(spec.path, { sha256, url: '', verifiedAt }).catch(() => {});
  return { path: spec.path, sha256, how: 'found' };
}

export function warn(text: string, context: Pick<Context, 'emit'>): void {
  context.emit({ kind: 'message', level: 'warning', text });
}
