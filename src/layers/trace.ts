/**
 * What of a hook tree was read, and what was changed: by the kernel's own book-keeping.
 *
 * Access times are set to the past before a phase and looked at afterwards; the tree has to be seen
 * through a mount with `strictatime`. Executed scripts, read files, followed links and listed
 * directories show; `stat` alone does not.
 */
import { type BigIntStats, lstatSync, lutimesSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** Seconds since the epoch that nobody reads a file at. */
const PAST = 1;

/** One entry of the tree, by its path in it. The root itself is not among them. */
type Snapshot = ReadonlyMap<string, string>;

export interface Armed {
  readonly directory: string;
  readonly before: Snapshot;
}

export interface HookChanges {
  /** Made or changed; directories come before what is in them. */
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/** Sets all access times to the past. */
export function armTrace(directory: string): Armed {
  const before = new Map<string, string>();
  const folders: Entry[] = [];
  for (const entry of walk(directory)) {
    const { name, isDirectory, accessedMs, modified } = entry;
    const file = path.join(directory, name);
    if (isDirectory) {
      folders.push(entry);
    }
    if (isDirectory || accessedMs === PAST * 1000) {
      before.set(name, entry.state);
    } else {
      lutimesSync(file, PAST, modified);
      before.set(name, stateOf(lstatSync(file, { bigint: true })));
    }
  }
  // Last: to look at what is in them was to read them.
  for (const { name, modified } of folders) {
    lutimesSync(path.join(directory, name), PAST, modified);
  }
  return { directory, before };
}

/** What was read below `directory` (the armed tree or a copy with its times), by path; sorted. */
export function readSince(directory: string): {
  readonly files: readonly string[];
  readonly folders: readonly string[];
} {
  const read = walk(directory).filter(({ accessedMs }) => accessedMs > PAST * 1000);
  const names = (wanted: boolean): readonly string[] =>
    read
      .filter((entry) => entry.isDirectory === wanted)
      .map(({ name }) => name)
      .sort();
  return { files: names(false), folders: names(true) };
}

/** What was changed since it was armed. */
export function changesIn({ directory, before }: Armed): HookChanges {
  const after = snapshot(directory);
  return {
    written: [...after].filter(([name, seen]) => before.get(name) !== seen).map(([name]) => name),
    removed: [...before.keys()].filter((name) => !after.has(name)),
  };
}

interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly accessedMs: number;
  readonly modified: Date;
  /** Of what `changesIn` compares; a directory only by its mode and owner. */
  readonly state: string;
}

function snapshot(directory: string): Snapshot {
  return new Map(walk(directory).map(({ name, state }) => [name, state]));
}

function walk(directory: string, below = ''): readonly Entry[] {
  return readdirSync(path.join(directory, below))
    .sort()
    .flatMap((base) => {
      const name = below === '' ? base : `${below}/${base}`;
      const found = lstatSync(path.join(directory, name), { bigint: true });
      const entry: Entry = {
        name,
        isDirectory: found.isDirectory(),
        accessedMs: Number(found.atimeMs),
        modified: found.mtime,
        state: stateOf(found),
      };
      return entry.isDirectory ? [entry, ...walk(directory, name)] : [entry];
    });
}

function stateOf(found: BigIntStats): string {
  const owner = `${found.mode} ${found.uid} ${found.gid}`;
  return found.isDirectory() ? owner : `${owner} ${found.ino} ${found.size} ${found.ctimeNs}`;
}
