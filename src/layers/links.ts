/** The layers that a running build stands on, from the lowest up, and where each of them lies. */
import path from 'node:path';
import type { TreeLayer } from './finished.ts';

/** A layer of this build. */
export interface Link {
  readonly key: string;
  readonly phase: string;
  readonly created: string;
  /** It is in the store, or on the way there. */
  readonly isKept: boolean;
  /** In memory until its copy is used instead, else in the store. */
  readonly directory: string;
}

/** Where the copy of a layer is; undefined while there is none. */
export type CopyOf = (link: Link) => string | undefined;

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

  /** Uses copies that there are; the directories that were copied, which are left to whoever knows when nobody uses them. */
  moveTo(copyOf: CopyOf): readonly string[] {
    const before = this.#links;
    this.#links = before.map((link) => ({ ...link, directory: copyOf(link) ?? link.directory }));
    const now = new Set(this.directories);
    return before.map(({ directory }) => directory).filter((directory) => !now.has(directory));
  }
}
