/** One attempt to get a file: no policy here, and nothing is published. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from '../events/event.ts';
import { PLACES_HINT } from '../events/failure.ts';
import { freeSpace } from '../events/free-space.ts';
import { noRoom } from '../events/no-room.ts';
import { type Answer, type Network, RefusedRequest } from './network.ts';
import type { PartialFile, Source, Validators } from './partial-file.ts';
import { parseRetryAfter } from './retry.ts';

export interface DownloadRequest {
  readonly url: string;
  /** Where the bytes go; what it already has is not asked for again. */
  readonly partial: PartialFile;
  /** Asks only for what differs from this. */
  readonly unless?: Validators;
  /** Makes caches on the way ask the server itself. */
  readonly bust: boolean;
  /** No more bytes than that. */
  readonly maxBytes: number;
}

/** What the file's server said about it. */
export interface Origin extends Source {
  readonly contentType?: string;
}

export type DownloadOutcome =
  | { readonly kind: 'complete'; readonly origin: Origin }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'http'; readonly status: number; readonly retryAfterMs?: number }
  /** Nobody answered, or the answer broke off. `code` is Node's or undici's. */
  | { readonly kind: 'network'; readonly code: string; readonly message: string }
  /** Trying again would not help. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

/** What a download needs to know of its surroundings. */
export interface DownloadContext extends Pick<Context, 'emit' | 'signal'> {
  readonly network: Network;
}

const PROGRESS_MS = 250;
/** Fewer bytes per second than that is no progress. */
const CRAWL_BYTES_PER_SECOND = 16;

/**
 * Gets the file, or what is still missing of it, into `request.partial`.
 *
 * @throws Failed `disk-full` before the first byte when the server says how many there are; what the
 * file system throws; and the reason when the context's signal is aborted.
 */
export async function download(
  request: DownloadRequest,
  context: DownloadContext,
): Promise<DownloadOutcome> {
  try {
    return request.url.startsWith('file:')
      ? await copyLocal(request, context)
      : await fetchRemote(request, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (request.partial.failure !== undefined) {
      throw request.partial.failure;
    }
    return failedOutcome(error);
  }
}

async function fetchRemote(
  request: DownloadRequest,
  context: DownloadContext,
): Promise<DownloadOutcome> {
  const { partial, url } = request;
  await using watch = new Watchdog(context);
  if (partial.position > 0 && resumeValidator(partial.source) === undefined) {
    await partial.reset();
  }
  const headers = requestHeaders(request);
  const answer = await context.network.get({ url, headers, signal: watch.signal });
  try {
    return await receive(answer, request, watch);
  } finally {
    answer.body.destroy();
  }
}

function requestHeaders({ bust, partial, unless }: DownloadRequest): Record<string, string> {
  const resume = partial.position > 0 ? resumeValidator(partial.source) : undefined;
  return {
    // Source: dib contract, 6.1
    ...(bust
      ? {
          pragma: 'no-cache, must-revalidate',
          'cache-control': 'no-cache, must-revalidate',
        }
      : {}),
    ...(resume === undefined ? {} : { range: `bytes=${partial.position}-`, 'if-range': resume }),
    ...(unless?.etag === undefined ? {} : { 'if-none-match': unless.etag }),
    ...(unless?.lastModified === undefined ? {} : { 'if-modified-since': unless.lastModified }),
  };
}

/** What If-Range takes: a strong tag, else a date. Source: RFC 9110, 13.1.5. */
function resumeValidator(source: Source | undefined): string | undefined {
  const etag = source?.etag;
  return etag !== undefined && !etag.startsWith('W/') ? etag : source?.lastModified;
}

async function receive(
  answer: Answer,
  request: DownloadRequest,
  watch: Watchdog,
): Promise<DownloadOutcome> {
  const { partial } = request;
  if (answer.status === 304 && request.unless !== undefined) {
    return { kind: 'not-modified' };
  }
  if (answer.status === 206 || answer.status === 416) {
    if (answer.status === 416 || !continues(answer, partial)) {
      // It is another file by now: from the start, and no further attempt is lost by that.
      await partial.reset();
      return { kind: 'network', code: 'range', message: 'the file on the server has changed' };
    }
  } else if (answer.status === 200) {
    if (partial.position > 0) {
      await partial.reset();
    }
  } else {
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now());
    const { status } = answer;
    return { kind: 'http', status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  const origin = originOf(answer, request);
  const { contentType: _notForResuming, ...source } = origin;
  await partial.setSource(source);
  await pour(() => answer.body, { ...request, totalBytes: origin.totalBytes }, watch);
  if (origin.totalBytes !== undefined && partial.position !== origin.totalBytes) {
    const message = `${partial.position} of ${origin.totalBytes} bytes arrived`;
    return { kind: 'network', code: 'short', message };
  }
  return { kind: 'complete', origin };
}

/** Whether a partial answer goes on where the partial file ends. */
function continues(answer: Answer, partial: PartialFile): boolean {
  const range = contentRange(answer);
  const totalBytes = partial.source?.totalBytes;
  return (
    range?.start === partial.position && (totalBytes === undefined || totalBytes === range.total)
  );
}

function contentRange(answer: Answer): { start: number; total: number } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.headers['content-range'] ?? '');
  return match === null ? undefined : { start: Number(match[1]), total: Number(match[2]) };
}

function originOf(answer: Answer, { url }: DownloadRequest): Origin {
  const { etag, 'last-modified': lastModified, 'content-type': contentType } = answer.headers;
  const length = answer.headers['content-length'];
  const totalBytes =
    contentRange(answer)?.total ?? (length === undefined ? undefined : Number(length));
  return {
    url,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(totalBytes === undefined ? {} : { totalBytes }),
  };
}

interface Pour extends DownloadRequest {
  readonly totalBytes: number | undefined;
}

/** `open` is called once, when it is known that there is room. */
async function pour(
  open: () => AsyncIterable<Uint8Array>,
  { url, partial, maxBytes, totalBytes }: Pour,
  watch: Watchdog,
): Promise<void> {
  const refuse = (): never => {
    throw new RefusedRequest('size', `The file is larger than the ${maxBytes} bytes allowed`);
  };
  if ((totalBytes ?? 0) > maxBytes) {
    refuse();
  }
  await assertRoom({ url, partial, totalBytes: totalBytes ?? 0 });
  for await (const chunk of open()) {
    await partial.append(chunk);
    if (partial.position > maxBytes) {
      refuse();
    }
    watch.note(chunk.length, { url, receivedBytes: partial.position, totalBytes });
  }
  await partial.drain();
}

/** What would not fit is not begun; where files are compressed, nobody knows. @throws Failed `disk-full`. */
async function assertRoom({
  url,
  partial,
  totalBytes,
}: Pick<DownloadRequest, 'url' | 'partial'> & { readonly totalBytes: number }): Promise<void> {
  const neededBytes = totalBytes - partial.position;
  const directory = path.dirname(partial.path);
  const free = await freeSpace(directory);
  if (neededBytes > free.freeBytes && !free.mayCompress) {
    throw noRoom({ what: url, directory, free, neededBytes, hints: [PLACES_HINT] });
  }
}

async function copyLocal(
  request: DownloadRequest,
  context: DownloadContext,
): Promise<DownloadOutcome> {
  const { url, partial, unless } = request;
  const file = fileURLToPath(url);
  const found = await stat(file).catch(ignoreMissing);
  if (found === undefined) {
    return { kind: 'refused', code: 'ENOENT', message: 'there is no such file' };
  }
  const { mtime, size } = found;
  const since = Date.parse(unless?.lastModified ?? '');
  // Like a server: whole seconds.
  if (Math.floor(mtime.getTime() / 1000) * 1000 <= since) {
    return { kind: 'not-modified' };
  }
  await using watch = new Watchdog(context);
  await partial.reset();
  await pour(
    () => createReadStream(file, { highWaterMark: 1 << 20 }),
    { ...request, totalBytes: size },
    watch,
  );
  const lastModified = mtime.toUTCString();
  return { kind: 'complete', origin: { url, lastModified, totalBytes: partial.position } };
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') {
    throw error;
  }
}

interface Progress {
  readonly url: string;
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
}

/** Notices that nothing comes any more, and tells how far it is. */
class Watchdog implements AsyncDisposable {
  readonly signal: AbortSignal;
  readonly #context: DownloadContext;
  readonly #timer: NodeJS.Timeout;
  #receivedBytes = 0;
  #toldAt = 0;

  constructor(context: DownloadContext) {
    const { idleMs } = context.network.settings;
    const stalled = new AbortController();
    this.#context = context;
    this.signal = AbortSignal.any([context.signal, stalled.signal]);
    this.#timer = setInterval(() => {
      if (this.#receivedBytes < (CRAWL_BYTES_PER_SECOND * idleMs) / 1000) {
        stalled.abort(new Stalled(idleMs));
      }
      this.#receivedBytes = 0;
    }, idleMs);
  }

  note(bytes: number, { totalBytes, ...progress }: Progress): void {
    this.#receivedBytes += bytes;
    const now = performance.now();
    if (now - this.#toldAt >= PROGRESS_MS) {
      this.#toldAt = now;
      const total = totalBytes === undefined ? {} : { totalBytes };
      this.#context.emit({ kind: 'download-progress', ...progress, ...total });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
  }
}

class Stalled extends Error {
  readonly code = 'stalled';

  constructor(idleMs: number) {
    super(`the server has stalled: nothing for ${Math.round(idleMs / 1000)} s`);
  }
}

function failedOutcome(error: unknown): DownloadOutcome {
  if (error instanceof RefusedRequest) {
    return { kind: 'refused', code: error.code, message: error.message };
  }
  const { code, message } = describe(error);
  if (code === undefined) {
    throw error;
  }
  const isFinal = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|EISDIR|ENOENT|EACCES|INVALID/.test(code);
  return { kind: isFinal ? 'refused' : 'network', code, message };
}

/** Node gives several addresses' errors at once, with empty messages of their own. */
function describe(error: unknown): { readonly code: string | undefined; readonly message: string } {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return describe(error.errors[0]);
  }
  if (!(error instanceof Error)) {
    return { code: undefined, message: String(error) };
  }
  if (!('code' in error) && error.cause !== undefined) {
    return describe(error.cause);
  }
  return { code: 'code' in error ? String(error.code) : undefined, message: error.message };
}
