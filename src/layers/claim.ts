/** The right to make what comes next: whoever else wants the same waits, and looks again afterwards. */
import { rm } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { failureOf } from '../events/failure.ts';
import { digestOf } from './digest.ts';
import { takeFlock } from './flock.ts';
import type { PhaseInputs } from './match.ts';
import type { Publisher } from './publisher.ts';
import type { LayerStore } from './store.ts';
import { classOf, withoutRunPaths } from './variables.ts';

export class Claims {
  readonly #store: LayerStore;
  readonly #publisher: Publisher;
  #held: AsyncDisposable | undefined;

  constructor(store: LayerStore, publisher: Publisher) {
    this.#store = store;
    this.#publisher = publisher;
  }

  /** Takes the claim on `request`, in place of the one before. */
  async take(
    request: { readonly id: string; readonly phase: string },
    context: Context,
  ): Promise<void> {
    const file = this.#store.requestLock(request.id);
    const lock = await waitFor(file, request.phase, context);
    // Only now: nobody may come between two parts of one phase.
    this.release();
    this.#held = {
      [Symbol.asyncDispose]: async () => {
        // Who waits for it holds it open; who comes later finds the layer.
        await rm(file, { force: true });
        await lock?.[Symbol.asyncDispose]();
      },
    };
  }

  /** Whoever waits for a layer is let in once it is there. */
  release(): void {
    const held = this.#held;
    if (held !== undefined) {
      this.#publisher.afterwards(async () => held[Symbol.asyncDispose]());
    }
    this.#held = undefined;
  }
}

/** Undefined where there is no room for a lock: then two builds may make the same. */
async function waitFor(
  file: string,
  phase: string,
  context: Context,
): Promise<AsyncDisposable | undefined> {
  const exclusive = { mode: 'exclusive' as const };
  try {
    const free = await takeFlock(file, { ...exclusive, wait: false }, context);
    if (free !== undefined) {
      return free;
    }
    context.emit({ kind: 'lock-wait', path: file, holder: `another build makes ${phase}` });
    return await takeFlock(file, { ...exclusive, wait: true }, context);
  } catch (error) {
    if (failureOf(error).kind === 'disk-full') {
      return undefined;
    }
    throw error;
  }
}

/** The same for builds that would make the same layer, as far as can be known beforehand. Pure. */
export function requestId(slot: string, phase: string, inputs: PhaseInputs): string {
  const environment = Object.entries(inputs.environment)
    .filter(([name]) => classOf(name) === 'always')
    .map(([name, value]) => [name, withoutRunPaths(value, inputs.runPaths)]);
  const { hooks, names, files, external, engine } = inputs;
  return digestOf({
    slot,
    environment: Object.fromEntries(environment),
    files: names.map((name) => files.get(name) ?? ''),
    own: hooks.map((hook) => files.get(`${phase}.d/${hook}`) ?? ''),
    hooks,
    names,
    external,
    engine,
  });
}
