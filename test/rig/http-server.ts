/**
 * A real HTTP server on loopback that misbehaves on demand.
 *
 * Every path has a list of behaviours: each request takes the next one, and the last one stays.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is known of one request. */
export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  /** Whether it told caches to ask the server itself. */
  readonly busts: boolean;
  readonly isConditional: boolean;
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** All requests so far, in the order of their arrival. */
  readonly asked: Asked[];
  /** Body bytes sent so far for a path. */
  sent(path: string): number;
  serve(path: string, ...behaviours: readonly Behaviour[]): void;
}

/** Starts a server; what is not served is not found. */
export async function openServer(): Promise<TestServer> {
  const asked: Asked[] = [];
  const sent = new Map<string, number>();
  const behaviours = new Map<string, Behaviour[]>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(describe(request));
    const write = response.write.bind(response);
    const end = response.end.bind(response);
    const count = (chunk: unknown): void => {
      const bytes = chunk instanceof Uint8Array ? chunk.length : 0;
      sent.set(path, (sent.get(path) ?? 0) + bytes);
    };
    response.write = ((...args: Parameters<typeof write>) => {
      count(args[0]);
      return write(...args);
    }) as typeof response.write;
    response.end = ((...args: Parameters<typeof end>) => {
      count(args[0]);
      return end(...args);
    }) as typeof response.end;
    const list = behaviours.get(path) ?? [status(404)];
    const next = list.length > 1 ? list.shift() : list[0];
    next?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    sent: (path) => sent.get(path) ?? 0,
    serve: (path, ...list) => behaviours.set(path, [...list]),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function describe({ url, headers }: IncomingMessage): Asked {
  return {
    path: url ?? '',
    range: headers.range,
    busts: headers['cache-control']?.includes('no-cache') === true,
    isConditional: 'if-none-match' in headers || 'if-modified-since' in headers,
  };
}

const DATE = 'Wed, 01 Jan 2020 00:00:00 GMT';

/** As a good server does it: validators, 304, ranges. */
export function file(
  content: Uint8Array | string,
  contentType = 'application/octet-stream',
): Behaviour {
  return ranged(content, { contentType, ranges: true }, (response, body) => response.end(body));
}

/** Does not say how long the file is. */
export function withoutLength(content: Uint8Array | string): Behaviour {
  return (_request, response) => {
    response.write(Buffer.from(content));
    response.end();
  };
}

/** Sends the whole file whatever part was asked for. */
export function fileWithoutRanges(content: Uint8Array | string, cutAfter?: number): Behaviour {
  return ranged(content, { ranges: false }, (response, body) =>
    cutAfter === undefined ? response.end(body) : sendAndCut(response, body, cutAfter),
  );
}

/** Breaks the connection after so many bytes of the answer's body. */
export function cutAfter(content: Uint8Array | string, bytes: number): Behaviour {
  return ranged(content, { ranges: true }, (response, body) => sendAndCut(response, body, bytes));
}

/** Says nothing more after so many bytes, and keeps the connection. */
export function stallAfter(content: Uint8Array | string, bytes: number): Behaviour {
  return ranged(content, { ranges: true }, (response, body) => {
    response.write(body.subarray(0, bytes));
  });
}

/** Answers with that status and nothing else of use. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return (_request, response) => {
    response.writeHead(code, headers).end(Buffer.from(`status ${code}`));
  };
}

/** A redirect; relative locations are as good as whole ones. */
export function redirect(location: string): Behaviour {
  return status(302, { location });
}

/** One behaviour for those who ask past all caches, another for the rest. */
export function cached(stale: Behaviour, fresh: Behaviour): Behaviour {
  return (request, response) => {
    const busts = request.headers['cache-control']?.includes('no-cache') === true;
    (busts ? fresh : stale)(request, response);
  };
}

/** The line of a SHA256SUMS file. */
export function sumsLine(content: Uint8Array | string, name: string): string {
  return `${sha256(content)} *${name}\n`;
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

interface Manner {
  readonly ranges: boolean;
  readonly contentType?: string;
}

function ranged(
  content: Uint8Array | string,
  manner: Manner,
  send: (response: ServerResponse, body: Buffer) => void,
): Behaviour {
  const whole = Buffer.from(content);
  const etag = `"${sha256(whole).slice(0, 16)}"`;
  return ({ headers }, response) => {
    if (headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return;
    }
    const start = manner.ranges ? rangeStart(headers, etag) : 0;
    const body = whole.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      'last-modified': DATE,
      'content-length': body.length,
      ...(manner.contentType === undefined ? {} : { 'content-type': manner.contentType }),
      ...(start > 0
        ? { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }
        : {}),
    });
    send(response, body);
  };
}

function rangeStart(headers: IncomingMessage['headers'], etag: string): number {
  const condition = headers['if-range'];
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  return condition === undefined || condition === etag ? start : 0;
}

function sendAndCut(response: ServerResponse, body: Buffer, bytes: number): void {
  response.write(body.subarray(0, bytes), () => response.destroy());
}
