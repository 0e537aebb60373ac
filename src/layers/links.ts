/** The layers that a running build stands on, from the lowest up, and where each of them lies. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { TreeLayer } from './finished.ts';

/** A layer of this build. */
export interface Link {
  readonly key: string;
  readonly phase: string;
  readonly created: string;
  /** It is in the store, or on the way there. */
  readonly isKept: boolean;
  /** In memory until its copy is needed, else in the store. */
  readonly directory: string;
}

export class Links {
  #links: readonly Link[] = [];

  push(link: Link): void {
    this.#links = [...this.#links, link];
  }

  get keys(): readonly string[] {
    return this.#links.map(({ key }) => key);
  }

  get directories(): readonly string[] {
    return this.#links.map(({ directory }) => directory);
  }

  get trees(): readonly TreeLayer[] {
    return this.#links.map(({ directory, phase }) => ({
      directory: path.join(directory, 'tree'),
      phase,
    }));
  }

  /** Directories of the trees. */
  get uppers(): readonly string[] {
    return this.trees.map(({ directory }) => directory);
  }

  get top(): Link | undefined {
    return this.#links.at(-1);
  }

  /** Uses the copies of those that are kept, and removes what was copied. */
  async moveTo(copyOf: (key: string) => string): Promise<void> {
    const before = this.#links;
    this.#links = before.map((link) =>
      link.isKept ? { ...link, directory: copyOf(link.key) } : link,
    );
    const left = new Set(this.directories);
    for (const { directory } of before.filter((link) => !left.has(link.directory))) {
      await rm(directory, { recursive: true, force: true });
    }
  }
}
