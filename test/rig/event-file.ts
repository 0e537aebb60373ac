/** Reads the JSON lines that a command writes with `--events`, while it writes them. */
import { closeSync, existsSync, type FSWatcher, openSync, readFileSync, watch } from 'node:fs';
import type { BuildEvent } from '../../src/events/event.ts';

interface Waiter {
  readonly test: (event: BuildEvent) => boolean;
  readonly resolve: (event: BuildEvent) => void;
  readonly reject: (reason: Error) => void;
}

export class EventFile {
  readonly path: string;
  readonly #watcher: FSWatcher;
  readonly #waiters = new Set<Waiter>();
  #events: readonly BuildEvent[] = [];
  #ended: Error | undefined;

  /** Makes the file, so that there is something to watch. */
  constructor(path: string) {
    this.path = path;
    closeSync(openSync(path, 'a'));
    this.#watcher = watch(path, () => this.#read());
  }

  /** Resolves with the first event, past or future, that `test` accepts. */
  find(test: (event: BuildEvent) => boolean): Promise<BuildEvent> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ test, resolve, reject });
      this.#read();
    });
  }

  /** No more will come: all events; whoever still waits is told `why` not. */
  end(why: string): readonly BuildEvent[] {
    this.#ended = new Error(`The command ended without the awaited event. ${why}`);
    this.#read();
    this.#watcher.close();
    return this.#events;
  }

  #read(): void {
    const content = existsSync(this.path) ? readFileSync(this.path, 'utf8') : '';
    // The last line may be half written.
    const lines = content.split('\n').slice(0, -1);
    this.#events = lines.map((line) => JSON.parse(line) as BuildEvent);
    for (const waiter of this.#waiters) {
      const found = this.#events.find(waiter.test);
      if (found !== undefined) {
        this.#waiters.delete(waiter);
        waiter.resolve(found);
      } else if (this.#ended !== undefined) {
        this.#waiters.delete(waiter);
        waiter.reject(this.#ended);
      }
    }
  }
}
