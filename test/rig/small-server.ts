/** A web server on loopback that answers what a test says, and remembers what it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body?: string | Uint8Array;
}

export interface SmallServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  /** `METHOD PATH`, in order. */
  readonly requests: readonly string[];
}

/** Serves until it is disposed of. */
export async function serve(
  answer: (url: string) => Answer | Promise<Answer>,
): Promise<SmallServer> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const url = request.url ?? '/';
    requests.push(`${request.method} ${url}`);
    const { status, body } = await answer(url);
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
