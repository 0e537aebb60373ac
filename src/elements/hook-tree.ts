/**
 * One tree of hooks out of all elements: what `$TMP_HOOKS_PATH` will hold and where each file is
 * from.
 *
 * Directories of one name become one. Source: lib/common-functions, `generate_hooks` (compat); ours
 * refuses a clash at every depth, where upstream overwrites in subdirectories.
 */
import type { ElementListing, ListedDirectory, ListedFile } from './listing.ts';
import { type Problem, problemsError } from './problems.ts';

export interface TreeFile extends ListedFile {
  readonly element: string;
}

/** A file directly in two elements: only the winner's is in the tree. */
export interface Overwritten {
  readonly file: string;
  readonly winner: string;
  readonly loser: string;
}

export interface HookTree {
  /** The elements in the tree, in their order. */
  readonly elements: readonly string[];
  /** Sorted by path; the mode is that of the first element that has it. */
  readonly directories: readonly ListedDirectory[];
  /** Sorted by path. */
  readonly files: readonly TreeFile[];
  /** Worth a warning each. */
  readonly overwritten: readonly Overwritten[];
  /** Who brought the file `name` in the directory `dir` (`install.d`), when an element did. */
  elementOf(dir: string, name: string): string | undefined;
  /** That file's path in its element. */
  sourceOf(dir: string, name: string): string | undefined;
}

interface Claim {
  readonly element: string;
  readonly what: 'directory' | TreeFile;
}

interface Draft {
  /** By path. */
  readonly claims: Map<string, Claim>;
  readonly directories: Map<string, ListedDirectory>;
  readonly overwritten: Overwritten[];
  readonly problems: Problem[];
}

/**
 * Files that are read from each element rather than from the tree, so that it does not matter whose
 * copy the tree holds. Source: the elements package-installs, pkg-map, svc-map; block-device YAML.
 */
const READ_PER_ELEMENT =
  /^(?:element-(?:deps|provides|type)|README(?:\..*)?|package-installs\.(?:yaml|json)|pkg-map|svc-map|host-tools\.yaml|block-device-.*\.yaml|\..*)$/;

/**
 * The tree for elements in their order.
 *
 * @throws Failed `config` that names, for each path that two elements bring, both of them.
 */
export function planHookTree(listings: readonly ElementListing[]): HookTree {
  const draft: Draft = { claims: new Map(), directories: new Map(), overwritten: [], problems: [] };
  for (const { name, directories, files } of listings) {
    for (const directory of directories) {
      addDirectory(draft, name, directory);
    }
    for (const file of files) {
      addFile(draft, { ...file, element: name });
    }
  }
  if (draft.problems.length > 0) {
    throw problemsError('Cannot put the hooks of these elements together', draft.problems);
  }
  return hookTree(
    listings.map(({ name }) => name),
    draft,
  );
}

/** One line for a file that hides another element's. */
export function describeOverwritten({ file, winner, loser }: Overwritten): string {
  return `The file '${file}' of the element '${winner}' hides the one of '${loser}'`;
}

function clash(path: string, earlier: Claim, element: string): Problem {
  const what = path.split('/', 1)[0]?.endsWith('.d') ? 'hook' : 'file';
  return {
    message: `Cannot use the ${what} '${path}' twice: it is in '${earlier.element}' and in '${element}'`,
    hint: `Rename it in one of the two elements, or leave one of them out`,
  };
}

function addDirectory(draft: Draft, element: string, directory: ListedDirectory): void {
  const earlier = draft.claims.get(directory.path);
  if (earlier === undefined) {
    draft.claims.set(directory.path, { element, what: 'directory' });
    draft.directories.set(directory.path, directory);
  } else if (earlier.what !== 'directory') {
    draft.problems.push(clash(directory.path, earlier, element));
  }
}

function addFile(draft: Draft, file: TreeFile): void {
  const earlier = draft.claims.get(file.path);
  if (earlier !== undefined && (file.path.includes('/') || earlier.what === 'directory')) {
    draft.problems.push(clash(file.path, earlier, file.element));
    return;
  }
  if (earlier !== undefined && !READ_PER_ELEMENT.test(file.path)) {
    draft.overwritten.push({ file: file.path, winner: file.element, loser: earlier.element });
  }
  draft.claims.set(file.path, { element: file.element, what: file });
}

function hookTree(elements: readonly string[], draft: Draft): HookTree {
  const files = new Map<string, TreeFile>();
  for (const [path, { what }] of draft.claims) {
    if (what !== 'directory') {
      files.set(path, what);
    }
  }
  return {
    elements,
    directories: sortByPath(draft.directories),
    files: sortByPath(files),
    overwritten: draft.overwritten,
    elementOf: (dir, name) => files.get(`${dir}/${name}`)?.element,
    sourceOf: (dir, name) => files.get(`${dir}/${name}`)?.source,
  };
}

function sortByPath<T extends { readonly path: string }>(map: ReadonlyMap<string, T>): T[] {
  return [...map.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
