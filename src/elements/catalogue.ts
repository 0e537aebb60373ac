/**
 * The elements that exist: the directories in the directories of `ELEMENTS_PATH`.
 *
 * An earlier entry of the path wins over a later one. An element that is a link is found under the
 * link's name and under its real one. Source: element_dependencies.py, `_find_all_elements`, which
 * knows the real one only.
 */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import { readTextIfThere } from '../sandbox/small-files.ts';
import { type Element, type ElementLookup, parseNames } from './element.ts';
import { type Problem, problemsError } from './problems.ts';

/** Two different elements of one name; both are paths. */
export interface Override {
  readonly name: string;
  readonly winner: string;
  readonly loser: string;
}

export interface Catalogue extends ElementLookup {
  /** Worth a warning each. */
  readonly overrides: readonly Override[];
}

interface Found {
  readonly name: string;
  readonly path: string;
}

/**
 * Reads all elements of a path, earlier entries first.
 *
 * @throws Failed `config` for entries that are no directories, and for unreadable name files.
 */
export async function openCatalogue(elementsPath: readonly string[]): Promise<Catalogue> {
  const found = listEntries(elementsPath);
  const winners = new Map<string, string>();
  const overrides: Override[] = [];
  for (const { name, path: directory } of found) {
    const winner = winners.get(name);
    if (winner === undefined) {
      winners.set(name, directory);
    } else if (winner !== directory) {
      overrides.push({ name, winner, loser: directory });
    }
  }
  const elements = [...winners].map(([name, directory]) => readElement(name, directory));
  return {
    elements: new Map(elements.map((element) => [element.name, element])),
    elementsPath,
    overrides,
  };
}

/** One line for an override: which directory is used and which is not. */
export function describeOverride({ name, winner, loser }: Override): string {
  return `Element '${name}': '${winner}' overrides '${loser}'`;
}

/** What all entries hold, in the order of the path. */
function listEntries(elementsPath: readonly string[]): readonly Found[] {
  const listings = elementsPath.map((entry) => {
    try {
      return listElements(entry);
    } catch (error) {
      return entryProblem(entry, (error as NodeJS.ErrnoException).code, elementsPath);
    }
  });
  const problems = listings.flatMap((listing) => ('message' in listing ? [listing] : []));
  if (problems.length > 0) {
    throw problemsError('Cannot use ELEMENTS_PATH', problems);
  }
  return listings.flatMap((listing) => ('message' in listing ? [] : listing));
}

function entryProblem(
  entry: string,
  code: string | undefined,
  elementsPath: readonly string[],
): Problem {
  const hint = `Mend ELEMENTS_PATH (the built-in elements are at its end): '${elementsPath.join(':')}'`;
  if (entry === '') {
    return { message: "Cannot use the empty entry '' of ELEMENTS_PATH", hint };
  }
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'no such directory',
    ENOTDIR: 'not a directory',
    EACCES: 'permission denied',
  };
  const reason = reasons[code ?? ''] ?? code ?? 'cannot be read';
  return { message: `Cannot use the entry '${entry}' of ELEMENTS_PATH: ${reason}`, hint };
}

/** The elements in one entry of the path: names as typed first, then the real names of links. */
function listElements(entry: string): Found[] {
  if (entry === '') {
    throw Object.assign(new Error('empty entry'), { code: 'ENOENT' });
  }
  const root = realpathSync(entry);
  const found = readdirSync(root, { withFileTypes: true })
    .map((dirent) => elementAt(root, dirent))
    .filter((element) => element !== undefined);
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  const typed = new Set(found.map(({ name }) => name));
  const real = found
    .map(({ path: directory }) => ({ name: path.basename(directory), path: directory }))
    .filter(({ name }) => !typed.has(name));
  return [...found, ...real];
}

function elementAt(root: string, dirent: Dirent): Found | undefined {
  const directory = path.join(root, dirent.name);
  if (dirent.isDirectory()) {
    return { name: dirent.name, path: directory };
  }
  if (!dirent.isSymbolicLink()) {
    return undefined;
  }
  return isDirectory(directory) ? { name: dirent.name, path: realpathSync(directory) } : undefined;
}

/** A link may lead to nothing, or around in a circle. */
function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch {
    return false;
  }
}

function readElement(name: string, directory: string): Element {
  return {
    name,
    path: directory,
    deps: readNames(path.join(directory, 'element-deps')),
    provides: readNames(path.join(directory, 'element-provides')),
  };
}

function readNames(file: string): readonly string[] {
  try {
    return parseNames(readTextIfThere(file) ?? '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw configError(`Cannot read '${file}': ${code ?? String(error)}`, {
      hint: 'It must be a readable text file with one element name per line',
      at: { file },
    });
  }
}
