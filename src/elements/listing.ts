/** What is in an element's directory, as far as it goes into the hook tree. */
import { type Dirent, lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { configError } from '../events/failure.ts';

/** A file, or a link that stays one. */
export interface ListedFile {
  /** Below the element, for example `install.d/10-foo`. */
  readonly path: string;
  /** Absolute. */
  readonly source: string;
  readonly isLink: boolean;
}

export interface ListedDirectory {
  /** Below the element. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
}

export interface ElementListing {
  readonly name: string;
  /** Sorted by path; every directory comes after its parent. */
  readonly directories: readonly ListedDirectory[];
  readonly files: readonly ListedFile[];
}

/** Settings of containers: no hooks, and read from each element by itself. */
export const CONTAINER_DIRECTORY = 'container.d';

const NOT_HOOKS = ['tests', '__pycache__', CONTAINER_DIRECTORY];

interface Collected {
  readonly directories: ListedDirectory[];
  readonly files: ListedFile[];
}

/**
 * Everything of an element that hooks can see.
 *
 * Left out: `tests`, `__pycache__`, `container.d`, compiled Python beside it, and hidden files directly in a
 * directory of the element. A link to a directory, directly in the element, is that directory; every
 * other link stays a link. Source: lib/common-functions, `generate_hooks` (compat).
 *
 * @throws Failed `config` for what cannot be read or copied.
 */
export async function listElement(element: {
  readonly name: string;
  readonly path: string;
}): Promise<ElementListing> {
  const found: Collected = { directories: [], files: [] };
  try {
    listTop(element.path, found);
  } catch (error) {
    const { code, path: where } = error as NodeJS.ErrnoException;
    if (code === undefined || where === undefined) {
      throw error;
    }
    throw configError(`Cannot read '${where}' of the element '${element.name}': ${code}`, {
      hint:
        code === 'ENOENT'
          ? 'It was there a moment ago: do not change elements while a build starts'
          : 'Mend its permissions, or take it away',
    });
  }
  return {
    name: element.name,
    directories: found.directories.sort(byPath),
    files: found.files.sort(byPath),
  };
}

function listTop(directory: string, found: Collected): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const source = path.join(directory, entry.name);
    assertName(source);
    const kind = kindOfTarget(source, entry);
    if (kind === 'directory' && !NOT_HOOKS.includes(entry.name)) {
      listBelow(directory, entry.name, found);
    } else if (kind === 'file' && !entry.name.endsWith('.pyc')) {
      found.files.push({ path: entry.name, source, isLink: entry.isSymbolicLink() });
    }
  }
}

/** What stands for bytes that are no UTF-8; as a character of its own it is rare, and may be there. */
const REPLACEMENT = '\ufffd';

/** @throws Failed `config` for a name that we cannot say, and so cannot copy. */
function assertName(file: string): void {
  if (file.includes(REPLACEMENT) && lstatSync(file, { throwIfNoEntry: false }) === undefined) {
    throw configError(`Cannot use '${file}': its name is not UTF-8`, {
      hint: `Rename it: ls -b '${path.dirname(file)}' shows its bytes`,
    });
  }
}

function kindOfTarget(source: string, entry: Dirent): string | undefined {
  const target = entry.isSymbolicLink() ? targetOf(source) : entry;
  if (target?.isDirectory()) {
    return 'directory';
  }
  return target?.isFile() ? 'file' : undefined;
}

/** Undefined for a link that leads nowhere. */
function targetOf(source: string): Pick<Dirent, 'isDirectory' | 'isFile'> | undefined {
  try {
    return statSync(source);
  } catch {
    return undefined;
  }
}

function listBelow(root: string, directory: string, found: Collected): void {
  const here = path.join(root, directory);
  found.directories.push({ path: directory, mode: statSync(here).mode & 0o7777 });
  const isTop = !directory.includes('/');
  for (const entry of readdirSync(here, { withFileTypes: true })) {
    if (isTop && (entry.name.startsWith('.') || entry.name === '__pycache__')) {
      continue;
    }
    const below = path.join(directory, entry.name);
    assertName(path.join(root, below));
    if (entry.isDirectory()) {
      listBelow(root, below, found);
    } else {
      found.files.push(listedFile(root, below, entry));
    }
  }
}

function listedFile(root: string, below: string, entry: Dirent): ListedFile {
  const source = path.join(root, below);
  if (!entry.isFile() && !entry.isSymbolicLink()) {
    throw configError(`Cannot copy '${source}': it is neither a file, a directory nor a link`, {
      hint: 'Make it in a hook instead',
    });
  }
  return { path: below, source, isLink: entry.isSymbolicLink() };
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : 1;
}
