/** Checking a verified file of 1 GiB again, in milliseconds: the list on the server has not changed. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../setup.mjs';
import { fetchArgv, NAME, withServedFile } from './fetch.mjs';
import { median, seconds } from './measure.mjs';

export const name = 'fetch again';
export const goal = 50;
export const unit = 'ms';

const ROUNDS = 9;

export function measure() {
  return withServedFile(async ({ server, cache }) => {
    const load = (file) => import(pathToFileURL(path.join(root, 'lib/cache', file)));
    const [{ verifiedFetch }, { Network }] = [
      await load('verified-fetch.js'),
      await load('network.js'),
    ];
    const dir = cache();
    seconds(fetchArgv(server, dir));
    const file = path.join(dir, NAME);
    const sums = { url: `${server.url}/SHA256SUMS`, cachePath: `${file}.dib-sums`, name: NAME };
    const spec = { url: `${server.url}/${NAME}`, path: file, digest: { kind: 'sums', sums } };
    const times = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // A network of its own each time: the connection is part of it.
      const network = new Network({ idleMs: 30_000 });
      const context = {
        emit: () => {},
        signal: new AbortController().signal,
        network,
        retries: {},
      };
      const start = performance.now();
      const { how } = await verifiedFetch(spec, context);
      times.push(performance.now() - start);
      await network[Symbol.asyncDispose]();
      if (how !== 'known') {
        throw new Error(`The file was ${how}`);
      }
    }
    return { ours: median(times) };
  });
}
