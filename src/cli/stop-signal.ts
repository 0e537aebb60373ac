/** Signals that ask us to stop, as an AbortSignal: so that what we hold is released. */
import { Failed } from '../events/failure.ts';

/** Source: signal(7). */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Runs `work`; while it runs, a signal aborts its AbortSignal with an `interrupted` failure. */
export async function withStopSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const listeners = Object.entries(SIGNALS).map(([name, signal]) => {
    const message = `Interrupted by ${name}`;
    const listener = (): void => stop.abort(new Failed({ kind: 'interrupted', message, signal }));
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  try {
    return await work(stop.signal);
  } finally {
    for (const remove of listeners) {
      remove();
    }
  }
}
