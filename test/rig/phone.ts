/**
 * Hooks that phone home: the test decides when they go on and how they end.
 *
 *     await using phone = await openPhone();
 *     await rig.element('caller', { 'install.d/50-call': phone.hook('install') });
 *     const call = await phone.next('install');   // the hook runs now, and waits
 *     call.exit(3);
 *
 * Works in the chroot too: it shares our network, and bash needs no tool to open a connection.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type ElementFile, hook } from './rig.ts';

export interface Call {
  readonly name: string;
  readonly cwd: string;
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Lets the hook go on, and end with this status. */
  exit(status: number): void;
}

export async function openPhone(): Promise<Phone> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Phone(server);
}

export class Phone implements AsyncDisposable {
  readonly #server: Server;
  readonly #calls: Call[] = [];
  readonly #waiting = new Map<string, (call: Call) => void>();
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    this.#server = server;
    // A call that nobody answers must not keep a failed test alive.
    server.unref();
    server.on('connection', (socket) => void this.#answer(socket));
  }

  /** A hook that calls under a name and then ends as it is told; status 1 when nobody answers. */
  hook(name: string): ElementFile {
    const address = this.#server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    return hook(
      [
        `exec 9<>/dev/tcp/127.0.0.1/${port}`,
        `{ printf '%s\\0' '${name}' "$PWD" "$0"; env -0; printf '\\0'; } >&9`,
        'read -r status <&9',
        'exit "$status"',
      ].join('\n'),
    );
  }

  /** How many calls came that nobody asked for yet. */
  get unanswered(): number {
    return this.#calls.length;
  }

  /** Resolves with the next call under this name. */
  next(name: string): Promise<Call> {
    const index = this.#calls.findIndex((call) => call.name === name);
    const [call] = index < 0 ? [] : this.#calls.splice(index, 1);
    if (call !== undefined) {
      return Promise.resolve(call);
    }
    return new Promise((resolve) => {
      this.#waiting.set(name, resolve);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(socket: Socket): Promise<void> {
    this.#sockets.add(socket.unref());
    // A hook may be killed while it waits.
    socket.on('error', () => {});
    const call = parseCall(await readCall(socket), socket);
    const waiting = this.#waiting.get(call.name);
    this.#waiting.delete(call.name);
    if (waiting === undefined) {
      this.#calls.push(call);
    } else {
      waiting(call);
    }
  }
}

/** Collects a call up to its empty last field. */
function readCall(socket: Socket): Promise<readonly string[]> {
  let received = '';
  return new Promise((resolve) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
      if (received.endsWith('\0\0')) {
        resolve(received.slice(0, -2).split('\0'));
      }
    });
  });
}

function parseCall(fields: readonly string[], socket: Socket): Call {
  const [name = '', cwd = '', script = '', ...variables] = fields;
  const environment = Object.fromEntries(
    variables.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  return {
    name,
    cwd,
    script,
    environment,
    exit: (status) => {
      socket.end(`${status}\n`);
    },
  };
}
