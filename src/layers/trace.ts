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
const PAST_NS = BigInt(PAST) * 1_000_000_000n;

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

/** Access times in nanoseconds since the epoch, by path. */
export type AccessTimes = ReadonlyMap<string, bigint>;

/** What was read, by path, sorted; and the times to compare with from now on. */
export interface Read {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly times: AccessTimes;
}

/** Sets all access times to the past. */
export function armTrace(directory: string): Armed {
  const before = new Map<string, string>();
  const folders: Entry[] = [];
  for (const entry of walk(directory)) {
    const { name, isDirectory, accessedNs, modified } = entry;
    const file = path.join(directory, name);
    if (isDirectory) {
      folders.push(entry);
    }
    if (isDirectory || accessedNs === PAST_NS) {
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

/**
 * What was read below `directory` since its times were these; of what is not among them, since it was armed,
 * or copied with its times. What has gone was read.
 *
 * To look is to list. Whoever wants to look again passes a path whose mount has `noatime`.
 */
export function readSince(directory: string, before: AccessTimes = new Map()): Read {
  const found = walk(directory);
  const read = found.filter(({ name, accessedNs }) => accessedNs !== (before.get(name) ?? PAST_NS));
  const times = new Map(found.map(({ name, accessedNs }) => [name, accessedNs]));
  const gone = [...before.keys()].filter((name) => !times.has(name));
  const names = (wanted: boolean): readonly string[] =>
    read.filter((entry) => entry.isDirectory === wanted).map(({ name }) => name);
  return { files: [...names(false), ...gone].sort(), folders: [...names(true)].sort(), times };
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
  readonly accessedNs: bigint;
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
        accessedNs: found.atimeNs,
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
