/** What the hooks of a phase, or of a part of it, read, change and take, until it is a layer. */
import { readFileSync } from 'node:fs';
import type { BesideState } from '../layers/beside.ts';
import { armTrace, changesIn, type HookChanges, type Read } from '../layers/trace.ts';

export class PhaseTrace {
  /** What was beside the image. */
  readonly before: BesideState;
  readonly #armed;
  readonly #look: () => Read;
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #fetching = new Set<string | undefined>();
  #connections = connectionsOpened();
  readonly #startedAt = performance.now();

  /** Begins; `look` says what was read of the tree that hooks see, `hooksDir` or a copy of it. */
  constructor(hooksDir: string, from: { readonly before: BesideState; readonly look: () => Read }) {
    this.before = from.before;
    this.#look = from.look;
    this.#armed = armTrace(hooksDir);
  }

  /** Notes what was read, while the tree that hooks saw is still there. */
  note(): void {
    const { files, folders } = this.#look();
    for (const name of files) {
      this.#files.add(name);
    }
    for (const name of folders) {
      this.#folders.add(name);
    }
  }

  /** Paths in the hook tree, sorted. */
  get files(): readonly string[] {
    return [...this.#files].sort();
  }

  get folders(): readonly string[] {
    return [...this.#folders].sort();
  }

  /** What was changed in the hook tree. */
  changes(): HookChanges {
    return changesIn(this.#armed);
  }

  /** A hook begins: connections so far are none of its own. */
  hookStarted(): void {
    this.#count(undefined);
  }

  hookEnded(hook: string): void {
    this.#count(hook);
  }

  /** During which hooks connections were opened; undefined stands for what is between them. */
  fetching(): readonly (string | undefined)[] {
    this.#count(undefined);
    return [...this.#fetching];
  }

  #count(hook: string | undefined): void {
    const now = connectionsOpened();
    if (now > this.#connections) {
      this.#fetching.add(hook);
    }
    this.#connections = now;
  }

  get durationMs(): number {
    return performance.now() - this.#startedAt;
  }
}

/** How many TCP connections have been opened since boot: whoever fetches something opens one. */
function connectionsOpened(): number {
  const lines = readFileSync('/proc/net/snmp', 'utf8').split('\n');
  const [names = '', values = ''] = lines.filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('ActiveOpens')] ?? 0);
}
