/**
 * Connections of downloads: proxies, certificates, time-outs, redirects. One `Network` per command;
 * undici is loaded when the first request is made.
 */
import { readFile } from 'node:fs/promises';
import type { Agent, Dispatcher } from 'undici';
import { configError } from '../events/failure.ts';
import { BodyQueue } from './body-queue.ts';

/** What the user's environment says about the network, as values. */
export interface NetworkSettings {
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  readonly noProxy?: string;
  /** A PEM bundle instead of the usual certificates. */
  readonly certificateFile?: string;
  /** A server that sends (nearly) nothing for so long has stalled. */
  readonly idleMs: number;
}

/** A server may be silent for this long. */
export const DEFAULT_IDLE_MS = 30_000;

const CONNECT_MS = 10_000;
const MAX_REDIRECTS = 10;

/** A request that cannot end well, however often it is made. */
export class RefusedRequest extends Error {
  readonly code: 'redirects' | 'scheme' | 'url' | 'size';

  constructor(code: RefusedRequest['code'], message: string) {
    super(message);
    this.name = 'RefusedRequest';
    this.code = code;
  }
}

export interface Answer {
  /** Where redirects led. */
  readonly url: URL;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: BodyQueue;
}

export interface Question {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * The settings in an environment. Source: curl(1), "ENVIRONMENT": the lower-case names win, and
 * HTTP_PROXY in capitals does not count (CGI programs get it from a request's header).
 */
export function networkSettings(
  environment: Readonly<Record<string, string | undefined>>,
): NetworkSettings {
  const first = (...names: readonly string[]): string | undefined =>
    names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  const all = first('all_proxy', 'ALL_PROXY');
  const seconds = Number(environment.DIB_FETCH_TIMEOUT);
  const settings = {
    httpProxy: first('http_proxy') ?? all,
    httpsProxy: first('https_proxy', 'HTTPS_PROXY') ?? all,
    noProxy: first('no_proxy', 'NO_PROXY'),
    certificateFile: first('SSL_CERT_FILE'),
    idleMs: seconds > 0 ? seconds * 1000 : DEFAULT_IDLE_MS,
  };
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined),
  ) as unknown as NetworkSettings;
}

/** Makes requests; dispose it to close what is open. */
export class Network implements AsyncDisposable {
  readonly settings: NetworkSettings;
  readonly #agents = new Map<string, Promise<Dispatcher>>();

  constructor(settings: NetworkSettings) {
    this.settings = settings;
  }

  /**
   * Asks with GET and follows redirects.
   *
   * @throws RefusedRequest for too many redirects, a loop of them, or one to a weaker scheme; what
   * undici throws when there is no answer.
   */
  async get(question: Question): Promise<Answer> {
    const seen = new Set<string>();
    for (let url = parseHttpUrl(question.url); ; ) {
      seen.add(url.href);
      const answer = await this.#ask(url, question);
      const location = answer.headers.location;
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) {
        return answer;
      }
      answer.body.destroy();
      url = redirected(url, location, seen);
    }
  }

  async #ask(url: URL, question: Question): Promise<Answer> {
    const agent = await this.#agentFor(url.protocol);
    question.signal.throwIfAborted();
    // Bytes as they are in the file: no encodings on the way.
    const headers = {
      'user-agent': 'dibkit',
      'accept-encoding': 'identity',
      ...authorization(url),
      ...question.headers,
    };
    const options = { origin: url.origin, path: `${url.pathname}${url.search}`, headers } as const;
    return new Promise<Answer>((resolve, reject) => {
      agent.dispatch(
        { ...options, method: 'GET' },
        answerHandler({ url, signal: question.signal, resolve, reject }),
      );
    });
  }

  #agentFor(protocol: string): Promise<Dispatcher> {
    let agent = this.#agents.get(protocol);
    if (agent === undefined) {
      agent = this.#openAgent(protocol);
      this.#agents.set(protocol, agent);
    }
    return agent;
  }

  async #openAgent(protocol: string): Promise<Dispatcher> {
    const { EnvHttpProxyAgent } = await import('undici');
    const { httpProxy, httpsProxy, noProxy, certificateFile } = this.settings;
    const given = protocol === 'https:' ? httpsProxy : httpProxy;
    const proxy = given === undefined ? '' : withScheme(given);
    const ca = certificateFile === undefined ? {} : { ca: await readCertificates(certificateFile) };
    const tls: Agent.Options = {
      connect: { timeout: CONNECT_MS, ...ca },
      // Whoever asks watches the answer (download.ts): two clocks for one fault give two messages.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    // An agent per scheme: undici's would take a proxy for http for https too, where curl does not.
    return new EnvHttpProxyAgent({
      ...tls,
      httpProxy: proxy,
      httpsProxy: proxy,
      noProxy: noProxy ?? '',
      requestTls: ca,
      // Caching proxies answer requests for http themselves; many refuse a tunnel to port 80.
      proxyTunnel: protocol === 'https:',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const agents = await Promise.allSettled(this.#agents.values());
    this.#agents.clear();
    await Promise.all(
      agents.map((agent) => (agent.status === 'fulfilled' ? agent.value.destroy() : undefined)),
    );
  }
}

function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    throw new RefusedRequest('url', `'${text}' is no URL`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new RefusedRequest('scheme', `Cannot fetch by '${url.protocol}'`);
  }
  return url;
}

function redirected(from: URL, location: string, seen: ReadonlySet<string>): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target === undefined) {
    throw new RefusedRequest('redirects', `The redirect to '${location}' is no URL`);
  }
  const isWeaker = from.protocol === 'https:' && target.protocol !== 'https:';
  if (isWeaker || !['http:', 'https:'].includes(target.protocol)) {
    const step = `from ${from.protocol} to ${target.protocol}`.replaceAll(':', '');
    throw new RefusedRequest('redirects', `The server redirects ${step}, which is refused`);
  }
  if (seen.has(target.href)) {
    throw new RefusedRequest('redirects', `The server redirects in a loop, back to ${target.href}`);
  }
  if (seen.size > MAX_REDIRECTS) {
    throw new RefusedRequest('redirects', `The server redirects more than ${MAX_REDIRECTS} times`);
  }
  return target;
}

function authorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') {
    return {};
  }
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(plain).toString('base64')}` };
}

interface Asking {
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

function answerHandler({ url, signal, resolve, reject }: Asking): Dispatcher.DispatchHandler {
  let body: BodyQueue | undefined;
  let abort: ((reason: Error) => void) | undefined;
  const stop = (): void => {
    reject(signal.reason);
    abort?.(signal.reason);
  };
  signal.addEventListener('abort', stop, { once: true });
  const end = (error?: Error): void => {
    signal.removeEventListener('abort', stop);
    body?.end(error);
  };
  return {
    onRequestStart: (controller) => {
      abort = (reason) => controller.abort(reason);
      body = new BodyQueue(controller);
      if (signal.aborted) {
        stop();
      }
    },
    onResponseStart: (...[, status, headers]) => {
      if (status >= 200 && body !== undefined) {
        resolve({ url, status, headers: plainHeaders(headers), body });
      }
    },
    onResponseData: (_controller, chunk) => body?.push(chunk),
    onResponseEnd: () => end(),
    onResponseError: (_controller, error) => {
      end(error);
      reject(error);
    },
  };
}

function withScheme(proxy: string): string {
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw configError(`Cannot read SSL_CERT_FILE '${file}': ${(error as Error).message}`);
  }
}

function plainHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? (value[0] ?? '') : value]],
    ),
  );
}
