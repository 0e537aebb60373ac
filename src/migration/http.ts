/**
 * One GET with Node's own client: the service also runs on Node 12, where the one that the cache uses does
 * not.
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { proxyAuthorization, proxyFor } from './proxy.ts';

export interface HttpRequest {
  readonly url: string;
  /** How long the server may be silent, from connecting on. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Says which proxies there are. */
  readonly environment: Readonly<Record<string, string>>;
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

async function getOnce(url: URL, request: HttpRequest): Promise<HttpAnswer> {
  const { idleMs, signal } = request;
  const connection = await connectionTo(url, request);
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(stopped());
      return;
    }
    const client = url.protocol === 'https:' ? https : http;
    const asked = client.get(url, {
      ...connection.options,
      // From the first moment on, where setTimeout() would count from the connection only.
      timeout: idleMs,
      // What vouches for the metadata has to come from the server itself, not from a proxy's memory.
      headers: {
        'cache-control': 'no-cache',
        'user-agent': 'migration-update',
        ...connection.headers,
      },
    });
    const abort = (): void => {
      asked.destroy(stopped());
    };
    signal.addEventListener('abort', abort, { once: true });
    asked.once('close', () => signal.removeEventListener('abort', abort));
    let answer: http.IncomingMessage | undefined;
    asked.on('timeout', () => {
      const error = (text: string): HttpError =>
        new HttpError(`${text} ${idleMs / 1000} s`, { code: 'ETIMEDOUT' });
      if (answer === undefined) {
        asked.destroy(error('No answer within'));
      } else {
        answer.destroy(error('The server fell silent for'));
      }
    });
    asked.on('error', (error: NodeJS.ErrnoException) => reject(readable(error, url)));
    asked.once('response', (body) => {
      answer = body;
      signal.addEventListener('abort', () => body.destroy(stopped()), { once: true });
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
  });
}

interface Connection {
  readonly options: https.RequestOptions;
  readonly headers: Readonly<Record<string, string>>;
}

/** Directly, by a proxy that fetches (http), or by one that is a tunnel (https). */
async function connectionTo(url: URL, request: HttpRequest): Promise<Connection> {
  const proxy = proxyFor(url, request.environment);
  if (proxy === undefined) {
    return { options: {}, headers: {} };
  }
  if (url.protocol === 'http:') {
    const options = { hostname: proxy.hostname, port: proxy.port || 80, path: url.href };
    return { options, headers: { host: url.host, ...proxyAuthorization(proxy) } };
  }
  const socket = await openTunnel(proxy, url, request);
  const createConnection = (): Socket => tls.connect({ socket, servername: url.hostname });
  return { options: { createConnection }, headers: {} };
}

function openTunnel(proxy: URL, url: URL, { idleMs, signal }: HttpRequest): Promise<Socket> {
  const target = `${url.hostname}:${url.port || 443}`;
  return new Promise((resolve, reject) => {
    const asked = http.request({
      method: 'CONNECT',
      host: proxy.hostname,
      port: proxy.port || 80,
      path: target,
      timeout: idleMs,
      headers: { host: target, ...proxyAuthorization(proxy) },
    });
    const abort = (): void => {
      asked.destroy(stopped());
    };
    signal.addEventListener('abort', abort, { once: true });
    asked.once('close', () => signal.removeEventListener('abort', abort));
    asked.once('timeout', () => {
      asked.destroy(new HttpError(`No answer of the proxy within ${idleMs / 1000} s`));
    });
    asked.once('error', (error: NodeJS.ErrnoException) => reject(readable(error, proxy)));
    asked.once('connect', (answer, socket) => {
      if (answer.statusCode === 200) {
        resolve(socket as Socket);
        return;
      }
      socket.destroy();
      reject(new HttpError(`The proxy ${proxy.host} answers ${answer.statusCode} for ${target}`));
    });
    asked.end();
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
