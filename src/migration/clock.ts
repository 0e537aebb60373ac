/** The clock of the machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './watch.ts';

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) {
        throw error;
      }
    });
  },
};
