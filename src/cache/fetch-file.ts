/** Attempts at a download until it is whole, or there is no point in going on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Failed, type FetchFailure } from '../events/failure.ts';
import type { Sha256 } from './checksum.ts';
import {
  type DownloadContext,
  type DownloadOutcome,
  type DownloadRequest,
  download,
  type Origin,
} from './download.ts';
import { isPassingStatus, nextDelay, type RetryPolicy } from './retry.ts';

export type FetchedFile =
  | { readonly kind: 'fetched'; readonly sha256: Sha256; readonly origin: Origin }
  | { readonly kind: 'not-modified' };

/** What downloads of a command have in common. */
export interface FetchContext extends DownloadContext {
  readonly retries: RetryPolicy;
}

/**
 * Gets the whole file into `request.partial`, in as many attempts as it takes: each goes on where
 * the one before broke off. Attempts that bring bytes do not count against the policy.
 *
 * @throws Failed `fetch`.
 */
export async function fetchFile(
  request: DownloadRequest,
  context: FetchContext,
): Promise<FetchedFile> {
  const started = performance.now();
  for (let fruitless = 1; ; fruitless += 1) {
    const before = request.partial.position;
    const outcome = await download(request, context);
    if (outcome.kind === 'not-modified') {
      return outcome;
    }
    if (outcome.kind === 'complete') {
      const { url, partial } = request;
      const sha256 = await partial.digest();
      const durationMs = performance.now() - started;
      context.emit({ kind: 'download-end', url, sizeBytes: partial.position, durationMs });
      return { kind: 'fetched', sha256, origin: outcome.origin };
    }
    if (request.partial.position > before) {
      fruitless = 1;
    }
    await pauseOrFail({ request, outcome, fruitless }, context);
  }
}

type Unsuccessful = Exclude<DownloadOutcome, { kind: 'complete' | 'not-modified' }>;

async function pauseOrFail(
  attempt: {
    readonly request: DownloadRequest;
    readonly outcome: Unsuccessful;
    readonly fruitless: number;
  },
  context: FetchContext,
): Promise<void> {
  const { request, outcome, fruitless } = attempt;
  const retryAfterMs = outcome.kind === 'http' ? outcome.retryAfterMs : undefined;
  const asked = retryAfterMs === undefined ? {} : { retryAfterMs };
  const delay = mayPass(outcome)
    ? nextDelay({ fruitless, ...asked }, context.retries, Math.random())
    : 'give-up';
  if (delay === 'give-up') {
    throw new Failed(fetchFailure(request.url, outcome));
  }
  const has = request.partial.position;
  const onwards = has > 0 ? `, going on after ${has} bytes` : '';
  const text = `Fetching ${request.url}: ${reason(outcome)}${onwards}`;
  context.emit({ kind: 'message', level: 'warning', text });
  await sleep(delay, undefined, { signal: context.signal });
}

function mayPass(outcome: Unsuccessful): boolean {
  return outcome.kind === 'network' || (outcome.kind === 'http' && isPassingStatus(outcome.status));
}

function reason(outcome: Unsuccessful): string {
  return outcome.kind === 'http' ? `the server answered ${outcome.status}` : outcome.message;
}

function fetchFailure(url: string, outcome: Unsuccessful): FetchFailure {
  return {
    kind: 'fetch',
    message: `Cannot fetch ${url}: ${reason(outcome)}`,
    url,
    ...(outcome.kind === 'http' ? { status: outcome.status } : { code: outcome.code }),
    hint: fetchHint(url, outcome),
  };
}

function fetchHint(url: string, outcome: Unsuccessful): string {
  if (url.startsWith('file:') || (outcome.kind === 'http' && outcome.status < 500)) {
    return 'Check the URL, and that this release and architecture are published there';
  }
  if (outcome.kind === 'refused' && /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(outcome.code)) {
    return 'Point SSL_CERT_FILE at the certificates that this server or proxy needs';
  }
  if (outcome.kind === 'refused') {
    return 'Check the URL, and what the server and the proxies on the way make of it';
  }
  return 'Check the network, http_proxy, https_proxy and no_proxy, or use another mirror';
}
