/**
 * The layers that a running build stands on, from the lowest up, and where each of them lies.
 *
 * One that was made in memory is used from the store once its copy is there. So no layer is in memory twice for long, as
 * a file of ours and in the kernel's cache: memory that is used for the first time costs as much as a copy where the
 * machine is a virtual one that gives back what is free.
 */
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

export class Links {
  #links: readonly Link[] = [];
  /** Where copies are, by their keys. */
  readonly #copies = new Map<string, string>();
  #left: readonly string[] = [];

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

  /** There is a copy now; it is used when somebody asks for that. */
  addCopy(key: string, directory: string): void {
    this.#copies.set(key, directory);
  }

  /** Uses the copies that there are, for the next tree that is mounted. */
  useCopies(): void {
    const before = this.directories;
    this.#links = this.#links.map((link) => ({
      ...link,
      directory: this.#copies.get(link.key) ?? link.directory,
    }));
    const now = new Set(this.directories);
    this.#left = [...this.#left, ...before.filter((directory) => !now.has(directory))];
  }

  /** What copies are used of, to be removed: for whoever knows that no tree is mounted any more that has them. */
  takeLeft(): readonly string[] {
    const left = this.#left;
    this.#left = [];
    return left;
  }
}
