/**
 * Reads the keys of one node, collects what is wrong with them, and knows which were never asked.
 */
import type { Place } from '../events/failure.ts';
import type { Entry, Located } from '../plan/located-yaml.ts';
import type { Problems } from '../plan/problems.ts';

/** What `Fields` reads: `plugin` is the word that messages use. */
export interface FieldSource {
  readonly plugin: string;
  readonly name: string;
  readonly base?: string;
  readonly at: Place;
  readonly entries: ReadonlyMap<string, Entry>;
}

export class Fields {
  readonly source: FieldSource;
  readonly problems: Problems;
  readonly #asked = new Set(['name', 'base']);

  constructor(source: FieldSource, problems: Problems) {
    this.source = source;
    this.problems = problems;
  }

  /** The node's base; a problem when there is none. */
  base(): string | undefined {
    if (this.source.base === undefined) {
      this.#missing('base');
    }
    return this.source.base;
  }

  /** Whether the node was given a name of its own; a problem otherwise. */
  requireName(): boolean {
    const named = this.source.entries.get('name')?.value?.kind === 'text';
    if (!named) {
      this.#missing('name');
    }
    return named;
  }

  optional(key: string): string | undefined {
    return this.#text(key);
  }

  required(key: string): string | undefined {
    if (this.source.entries.get(key)?.value === undefined) {
      this.#asked.add(key);
      this.#missing(key);
      return undefined;
    }
    return this.#text(key);
  }

  /** What `parse` makes of the text; a problem, naming what was `expected`, when that is undefined. */
  parsed<T>(key: string, parse: (text: string) => T | undefined, expected: string): T | undefined {
    const text = this.#text(key);
    if (text === undefined) {
      return undefined;
    }
    const value = parse(text);
    if (value === undefined) {
      this.reject(key, `Key "${key}" of ${this.#who()} is "${text}", expected ${expected}`);
    }
    return value;
  }

  /** The texts of a list; a problem for an item that is none. */
  texts(key: string): string[] {
    return this.list(key).flatMap((item) => {
      if (item.kind === 'text') {
        return [item.text];
      }
      this.reject(key, `Key "${key}" of ${this.#who()} must be a list of single values`);
      return [];
    });
  }

  /** The items of a list; a single text counts as a list of one. */
  list(key: string): readonly Located[] {
    this.#asked.add(key);
    const value = this.source.entries.get(key)?.value;
    if (value?.kind === 'map') {
      this.reject(key, `Key "${key}" of ${this.#who()} must be a list`);
      return [];
    }
    return value === undefined ? [] : value.kind === 'list' ? value.items : [value];
  }

  requiredList(key: string): readonly Located[] {
    const items = this.list(key);
    if (items.length === 0) {
      this.#missing(key);
    }
    return items;
  }

  /** Adds a problem at the key, or at the node when the key is absent. */
  reject(key: string, message: string): void {
    const entry = this.source.entries.get(key);
    this.problems.add(message, entry?.value?.at ?? entry?.at ?? this.source.at);
  }

  /** One line for each key that nobody asked for. */
  unknown(): string[] {
    return [...this.source.entries]
      .filter(([key]) => !this.#asked.has(key))
      .map(([key, { at }]) => `${at.file}:${at.line}: Unknown key "${key}" of ${this.#who()}`);
  }

  #text(key: string): string | undefined {
    this.#asked.add(key);
    const value = this.source.entries.get(key)?.value;
    if (value !== undefined && value.kind !== 'text') {
      this.reject(key, `Key "${key}" of ${this.#who()} must be a single value`);
      return undefined;
    }
    return value?.text;
  }

  #missing(key: string): void {
    this.problems.add(`Key "${key}" is missing in ${this.#who()}`, this.source.at);
  }

  #who(): string {
    return `${this.source.plugin} "${this.source.name}"`;
  }
}

/** The fields of a list's item, which must be a map. */
export function itemFields(item: Located, plugin: string, parent: Fields): Fields | undefined {
  if (item.kind !== 'map') {
    parent.problems.add(`A ${plugin} in "${parent.source.name}" is not a map`, item.at);
    return undefined;
  }
  const name = item.entries.get('name')?.value;
  const source = {
    plugin,
    name: name?.kind === 'text' ? name.text : '',
    at: item.at,
    entries: item.entries,
  };
  return new Fields(source, parent.problems);
}

/** What every node has. */
export function common({ source }: Fields): { readonly name: string; readonly at: Place } {
  return { name: source.name, at: source.at };
}

/** The properties that have a value: absent and undefined differ in these types. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
