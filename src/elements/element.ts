/** What an element is, to everything that works with elements. */

export interface Element {
  /** The name that it is found under. */
  readonly name: string;
  /** Its directory, absolute, with links resolved. Two elements with one path are one element. */
  readonly path: string;
  /** `element-deps`, in the order of the file. */
  readonly deps: readonly string[];
  /** `element-provides`, in the order of the file. */
  readonly provides: readonly string[];
}

/** All elements that can be named, and where they were looked for. */
export interface ElementLookup {
  /** By name. Several names may lead to one path (links). */
  readonly elements: ReadonlyMap<string, Element>;
  readonly elementsPath: readonly string[];
}

/**
 * The names in an `element-deps` or `element-provides` file: one per line, blanks around it dropped,
 * empty lines skipped. A line that starts with `#` is a comment, which upstream takes for a name.
 */
export function parseNames(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * The directories in which elements are looked for: `ELEMENTS_PATH`'s, then the built-in one.
 * Unset and empty are the same (compat); empty entries are kept, for `openCatalogue` to refuse.
 */
export function parseElementsPath(value: string | undefined, builtin: string): readonly string[] {
  const own = value === undefined || value === '' ? [] : value.split(':');
  return own.includes(builtin) ? own : [...own, builtin];
}
