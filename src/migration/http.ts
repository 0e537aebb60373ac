/**
 * One GET with Node's own client: the service also runs on Node 12, where the one that the cache uses does
 * not.
 */
import http from 'node:http';
import https from 'node:https';

export interface HttpRequest {
  readonly url: string;
  /** How long the server may be silent, from connecting on. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Breaks with an error when the connection does, or when the server falls silent. */
  readonly body: http.IncomingMessage;
}

/** No answer, or none that can be followed. `code` is Node's, when there is one. */
export class HttpError extends Error {
  readonly code: string | undefined;

  constructor(message: string, detail: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: detail.cause });
    this.name = 'HttpError';
    this.code = detail.code;
  }
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * The answer after redirects, whatever its status; its body must be read or destroyed.
 *
 * @throws HttpError
 */
export async function httpGet(request: HttpRequest): Promise<HttpAnswer> {
  let url = new URL(request.url);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    const answer = await getOnce(url, request);
    const { location } = answer.headers;
    if (!REDIRECTS.includes(answer.status) || location === undefined) {
      return answer;
    }
    answer.body.destroy();
    url = redirected(url, location);
  }
  throw new HttpError(`The server redirects more than ${MAX_REDIRECTS} times`);
}

function redirected(from: URL, location: string): URL {
  let url: URL;
  try {
    url = new URL(location, from);
  } catch (cause) {
    const target = JSON.stringify(location);
    throw new HttpError(`The server redirects to what is no URL: ${target}`, { cause });
  }
  const isKept = url.protocol === from.protocol || url.protocol === 'https:';
  if (!isKept || url.username !== '' || url.password !== '') {
    throw new HttpError(`The server redirects to ${url.protocol}//${url.host}, which is refused`);
  }
  return url;
}

function getOnce(url: URL, { idleMs, signal }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(stopped());
      return;
    }
    const client = url.protocol === 'https:' ? https : http;
    const asked = client.get(url, {
      // From the first moment on, where setTimeout() would count from the connection only.
      timeout: idleMs,
      // What vouches for the metadata has to come from the server itself, not from a proxy's memory.
      headers: { 'cache-control': 'no-cache', 'user-agent': 'migration-update' },
    });
    const abort = (): void => {
      asked.destroy(stopped());
    };
    signal.addEventListener('abort', abort, { once: true });
    asked.once('close', () => signal.removeEventListener('abort', abort));
    asked.once('timeout', () => {
      asked.destroy(new HttpError(`No answer within ${idleMs / 1000} s`, { code: 'ETIMEDOUT' }));
    });
    asked.on('error', (error: NodeJS.ErrnoException) => reject(readable(error, url)));
    asked.once('response', (body) => {
      // An answer that breaks off: Node says so on the body.
      asked.on('timeout', () => {
        body.destroy(
          new HttpError(`The server fell silent for ${idleMs / 1000} s`, { code: 'ETIMEDOUT' }),
        );
      });
      signal.addEventListener('abort', () => body.destroy(stopped()), { once: true });
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
  });
}

function stopped(): HttpError {
  return new HttpError('Stopped', { code: 'ABORT_ERR' });
}

function readable(error: NodeJS.ErrnoException, url: URL): HttpError {
  return error instanceof HttpError
    ? error
    : new HttpError(`Cannot reach ${url.host}: ${error.code ?? error.message}`, {
        ...(error.code === undefined ? {} : { code: error.code }),
        cause: error,
      });
}
