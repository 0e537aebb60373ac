/** What the commands of the cache share: where their events go, and when they stop. */
import type { FetchContext } from '../cache/fetch-file.ts';
import { Network, networkSettings } from '../cache/network.ts';
import { DEFAULT_RETRIES, type RetryPolicy } from '../cache/retry.ts';
import type { BuildEvent, Emit } from '../events/event.ts';
import { ownEnvironment } from './host-facts.ts';
import { withStopSignal } from './stop-signal.ts';

/**
 * Runs `work` with a network as the environment wants it; events are lines on standard error. A
 * signal ends the work as a failure, so that what it holds is released.
 */
export async function withCacheContext<T>(
  work: (context: FetchContext) => Promise<T>,
  retries: RetryPolicy = DEFAULT_RETRIES,
): Promise<T> {
  await using network = new Network(networkSettings(ownEnvironment()));
  await using console = new LateConsole();
  const emit: Emit = (event) => console.receive({ ...event, at: Date.now() });
  return await withStopSignal((signal) => work({ emit, signal, network, retries }));
}

/** Lines on standard error, loaded with the first event: whoever only waits has nothing to say. */
class LateConsole implements AsyncDisposable {
  #loaded: Promise<(event: BuildEvent) => Promise<void>> | undefined;
  #written: Promise<void> = Promise.resolve();

  receive(event: BuildEvent): void {
    this.#loaded ??= loadConsole();
    const write = this.#loaded;
    this.#written = this.#written.then(async () => (await write)(event));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#written;
  }
}

async function loadConsole(): Promise<(event: BuildEvent) => Promise<void>> {
  const [{ PlainConsole }, { redactEvent }] = await Promise.all([
    import('../events/plain-console.ts'),
    import('../events/redact.ts'),
  ]);
  const console = new PlainConsole(process.stderr, { timestamps: false });
  return (event) => {
    console.receive(redactEvent(event));
    return console.drained();
  };
}
