/** The stand-in for an openEuler mirror, served on loopback. */
import { once } from 'node:events';
import { createReadStream, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cachedMirror } from './cache.ts';
import { answerTo, type Fault } from './faults.ts';
import { Throttle } from './throttle.ts';

export interface MirrorOptions {
  /** What is wrong with it; nothing by default. */
  readonly faults?: readonly Fault[];
  /** Default: one that is free. */
  readonly port?: number;
  /** How fast it is, all connections together. Default: as fast as the machine. */
  readonly bytesPerSecond?: number;
  /** Told what is going on while the mirror is made. Default: standard error is. */
  readonly say?: (text: string) => void;
}

export interface Mirror extends AsyncDisposable {
  /** For DIB_DISTRIBUTION_MIRROR; without a slash at the end. */
  readonly url: string;
  /** Of the mirror's files: `www/openEuler-RELEASE/...`. They must not be changed. */
  readonly dir: string;
  /** `METHOD PATH STATUS`, in the order of the answers. */
  readonly requests: readonly string[];
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * Serves the mirror until it is closed. The first call on a machine makes the mirror, which needs
 * root, Debian packages and a minute or two; later ones find it in the cache.
 */
export async function openMirror(options: MirrorOptions = {}): Promise<Mirror> {
  const say = options.say ?? ((text) => process.stderr.write(`openEuler stand-in: ${text}\n`));
  const dir = await cachedMirror(say);
  const requests: string[] = [];
  const { faults = [], bytesPerSecond } = options;
  const throttle = bytesPerSecond === undefined ? undefined : new Throttle(bytesPerSecond);
  const server = createServer((request, response) => {
    response.on('close', () => {
      requests.push(`${request.method} ${request.url} ${response.statusCode}`);
    });
    void answer({ dir, faults, throttle }, { request, response });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => await stop(server);
  return {
    url: `http://127.0.0.1:${port}`,
    dir,
    requests,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function stop(server: Server): Promise<void> {
  if (server.listening) {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
}

interface Served {
  readonly dir: string;
  readonly faults: readonly Fault[];
  readonly throttle: Throttle | undefined;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function answer(mirror: Served, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const { pathname } = new URL(request.url ?? '/', 'http://mirror');
  const found = answerTo(decodeURIComponent(pathname), mirror.faults);
  switch (found.kind) {
    case 'status':
      response.writeHead(found.status).end();
      return;
    case 'text':
      response.writeHead(200, { 'content-length': Buffer.byteLength(found.text) }).end(found.text);
      return;
    case 'file':
      await sendFile(path.join(mirror.dir, found.path), exchange, mirror.throttle).catch(() =>
        response.destroy(),
      );
  }
}

/** A file, a listing of a directory, or 404. URL.pathname has no `..`. */
async function sendFile(
  file: string,
  { request, response }: Exchange,
  throttle: Throttle | undefined,
): Promise<void> {
  const info = await stat(file).catch(() => undefined);
  if (info === undefined) {
    response.writeHead(404).end();
  } else if (!info.isDirectory()) {
    await sendBody({ file, info, throttle }, { request, response });
  } else if (!file.endsWith('/')) {
    response.writeHead(301, { location: `${path.basename(file)}/` }).end();
  } else {
    response.writeHead(200, { 'content-type': 'text/html' }).end(await listing(file));
  }
}

/** As web servers list directories: those have a slash at the end, and links are followed. */
async function listing(dir: string): Promise<string> {
  const names = (await readdir(dir)).sort();
  const hrefs = await Promise.all(
    names.map(async (name) =>
      (await stat(path.join(dir, name))).isDirectory() ? `${name}/` : name,
    ),
  );
  return ['../', ...hrefs].map((href) => `<a href="${href}">${href}</a>\n`).join('');
}

async function sendBody(
  { file, info, throttle }: { file: string; info: Stats; throttle: Throttle | undefined },
  { request, response }: Exchange,
): Promise<void> {
  const etag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
  const common = { 'accept-ranges': 'bytes', 'last-modified': info.mtime.toUTCString(), etag };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, common).end();
    return;
  }
  const range = parseRange(request.headers.range, info.size);
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    ...common,
    'content-length': info.size === 0 ? 0 : end - start + 1,
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${info.size}` }),
  });
  if (request.method === 'HEAD' || info.size === 0) {
    response.end();
  } else {
    const content = createReadStream(file, { start, end });
    await (throttle === undefined
      ? pipeline(content, response)
      : pipeline(content, (chunks) => throttle.pass(chunks), response));
  }
}

/** Of one range with a start; everything else is answered with the whole file. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || Number(first) >= size) {
    return undefined;
  }
  const end = last === undefined || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return { start: Number(first), end };
}
