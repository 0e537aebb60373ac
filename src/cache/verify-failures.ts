/** What is said when a file cannot be vouched for: pure, from facts to failures. */
import { Failed } from '../events/failure.ts';
import type { Sha256 } from './checksum.ts';

interface Wanted {
  readonly url: string;
  readonly path: string;
  readonly digest:
    | { readonly kind: 'pinned' }
    | { readonly kind: 'sums'; readonly sums: { readonly url: string } };
}

interface Dated {
  readonly lastModified?: string;
}

/** The file that came, past all caches, does not have the published digest. */
export function mismatch(
  wanted: Wanted,
  found: {
    readonly expected: Dated & { readonly sha256: Sha256 };
    readonly origin: Dated & { readonly contentType?: string };
    readonly sha256: Sha256;
    readonly kept: string;
  },
): Failed {
  const { expected, origin, sha256, kept } = found;
  const publisher =
    wanted.digest.kind === 'pinned'
      ? 'given with the build (pinned)'
      : `${wanted.digest.sums.url} (${dated(expected)})`;
  const isPage = /^text\/html\b/.test(origin.contentType ?? '');
  return new Failed({
    kind: 'verify',
    message: [
      `Cannot verify '${wanted.path}': the file does not have the published SHA-256`,
      `expected  ${expected.sha256}`,
      `    from  ${publisher}`,
      `received  ${sha256}`,
      `    from  ${wanted.url} (${dated(origin)})`,
      ...(isPage ? ['What the server sent is a web page, perhaps of a proxy or a log-in'] : []),
      `    kept  ${kept}`,
    ].join('\n'),
    hint: 'Look at the kept file; if the mirror is being updated, try again later or use another one',
  });
}

/** The published list does not say what the digest of our file is. */
export function noChecksum(
  wanted: Wanted,
  sums: { readonly url: string; readonly name: string },
  lookup: Dated & { readonly reason: string },
): Failed {
  return new Failed({
    kind: 'verify',
    message: [
      `Cannot verify '${wanted.path}': no checksum for '${sums.name}'; ${lookup.reason}`,
      `checksums  ${sums.url} (${dated(lookup)})`,
      `     file  ${wanted.url}`,
    ].join('\n'),
    hint: 'Check that both URLs belong to the same release, or give the digest itself with --sha256',
  });
}

/** Offline, and nothing in the cache vouches for the file that is there. */
export function offlineUnverified(
  wanted: Wanted,
  found: { readonly expected: Sha256 | undefined; readonly sha256: Sha256 },
): Failed {
  return new Failed({
    kind: 'verify',
    message: [
      `Cannot verify '${wanted.path}' offline`,
      `expected  ${found.expected ?? 'unknown: the cache has no list of checksums for it'}`,
      `   found  ${found.sha256}`,
      `    from  ${wanted.url}`,
    ].join('\n'),
    hint: 'Run once without DIB_OFFLINE, so that the file can be verified or fetched anew',
  });
}

function dated({ lastModified }: Dated): string {
  return lastModified === undefined ? 'no Last-Modified' : `Last-Modified: ${lastModified}`;
}
