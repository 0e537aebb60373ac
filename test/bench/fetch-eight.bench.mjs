/** Eight processes that want one file of 1 GiB at once, against one alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fetchArgv, withServedFile } from './fetch.mjs';

export const name = 'fetch by eight';
export const goal = 1.2;
export const unit = 's';

const ROUNDS = 5;

export function measure() {
  return withServedFile(async ({ server, cache }) => {
    const eight = [];
    const one = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      one.push(await fetchAtOnce(1, server, cache()));
      eight.push(await fetchAtOnce(8, server, cache()));
    }
    const downloads = await server.downloads();
    if (downloads !== 2 * ROUNDS) {
      throw new Error(`${downloads} downloads where ${2 * ROUNDS} were enough`);
    }
    // The best of each: what else the machine does comes on top, and more of it on eight.
    const [ours, theirs] = [Math.min(...eight), Math.min(...one)];
    return { ours, theirs, ratio: ours / theirs };
  });
}

/** Seconds until all of them have ended. */
async function fetchAtOnce(count, server, cache) {
  const [file, ...args] = fetchArgv(server, cache);
  const start = process.hrtime.bigint();
  const children = Array.from({ length: count }, () => spawn(file, args, { stdio: 'ignore' }));
  const ends = await Promise.all(children.map((child) => once(child, 'close')));
  if (ends.some(([status]) => status !== 0)) {
    throw new Error(`Statuses ${ends.map(([status]) => status).join(' ')}`);
  }
  return Number(process.hrtime.bigint() - start) / 1e9;
}
