/** Digests of files and directories that a build takes as input, each content read once. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { sha256 } from '../layers/digest.ts';
import { textOrEmpty } from '../sandbox/small-files.ts';

/** Above this a file counts by its size and time: reading it would take longer than it is worth. */
const MOST_READ_BYTES = 16 << 20;

/** What is more in a directory counts by sizes and times, and that of the first entries alone, the upper levels first. */
const MOST_READ_BELOW_BYTES = 4 << 20;
const MOST_ENTRIES = 1000;

/** What programs keep beside what people write, and change without anything having changed. */
const KEPT_BY_PROGRAMS: ReadonlySet<string> = new Set([
  '.DS_Store',
  '.cache',
  '.hg',
  '.mypy_cache',
  '.nox',
  '.pytest_cache',
  '.ruff_cache',
  '.svn',
  '.tox',
  '__pycache__',
]);

/** Digests by what tells one state of a file from another: every phase asks for the same ones. */
const digests = new Map<string, string>();

/** What is there, links followed; undefined where nothing is, or nobody may look. */
export function statsOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Mode and content of a file; of a large one its size and time. @throws where it cannot be read. */
export function fileState(file: string, found: Stats, mostBytes: number = MOST_READ_BYTES): string {
  const { dev, ino, size, mtimeMs, ctimeMs, mode } = found;
  const permissions = (mode & 0o7777).toString(8);
  if (size > mostBytes) {
    return `${permissions}:${size} ${mtimeMs}`;
  }
  const state = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  const digest = digests.get(state) ?? sha256(readFileSync(file));
  digests.set(state, digest);
  return `${permissions}:${digest}`;
}

interface Entry {
  /** Below the directory. */
  readonly name: string;
  readonly found: Stats;
}

/**
 * Digest of the names, kinds, modes and contents below a directory, and of where links lead. Of a checkout
 * by Git the commit counts, and nothing else that Git keeps.
 */
export function directoryState(directory: string, isLeftOut: (path: string) => boolean): string {
  const entries = entriesOf(directory, isLeftOut);
  let budget = entries.length < MOST_ENTRIES ? MOST_READ_BELOW_BYTES : -1;
  const lines = entries.map(({ name, found }) => {
    const file = path.join(directory, name);
    const kind = (found.mode >> 12).toString(8);
    try {
      if (found.isSymbolicLink()) {
        return [kind, name, readlinkSync(file)];
      }
      if (path.basename(name) === '.git' && found.isDirectory()) {
        return [kind, name, commitOf(file)];
      }
      if (!found.isFile()) {
        return [kind, name, (found.mode & 0o7777).toString(8)];
      }
      const state = fileState(file, found, budget);
      budget -= found.size > budget ? 0 : found.size;
      return [kind, name, state];
    } catch {
      // Whoever may not read it cannot depend on it either.
      return [kind, name];
    }
  });
  return sha256(JSON.stringify(lines));
}

/** What lies below, the upper levels first, each sorted; no more than `MOST_ENTRIES`. */
function entriesOf(directory: string, isLeftOut: (path: string) => boolean): readonly Entry[] {
  const entries: Entry[] = [];
  const folders = [''];
  for (const folder of folders) {
    for (const base of namesIn(path.join(directory, folder))) {
      const name = path.join(folder, base);
      const file = path.join(directory, name);
      const found = lstatSync(file, { throwIfNoEntry: false });
      if (found === undefined || KEPT_BY_PROGRAMS.has(base) || isLeftOut(file)) {
        continue;
      }
      if (entries.push({ name, found }) >= MOST_ENTRIES) {
        return entries;
      }
      if (found.isDirectory() && base !== '.git') {
        folders.push(name);
      }
    }
  }
  return entries;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** The commit that is checked out. Source: gitrepository-layout(5). */
function commitOf(git: string): string {
  const head = textOrEmpty(path.join(git, 'HEAD')).trim();
  const [, branch] = /^ref: (\S+)$/.exec(head) ?? [];
  if (branch === undefined) {
    return head;
  }
  const packed = textOrEmpty(path.join(git, 'packed-refs')).split('\n');
  const [commit] = packed.find((line) => line.endsWith(` ${branch}`))?.split(' ') ?? [];
  return textOrEmpty(path.join(git, branch)).trim() || (commit ?? head);
}
