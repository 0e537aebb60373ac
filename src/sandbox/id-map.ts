/** The ids of a user namespace, as /proc/PID/uid_map and gid_map have them. Source: user_namespaces(7). Pure. */

export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export function parseIdMap(text: string): readonly IdRange[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(({ length }) => length === 3)
    .map(([inside = 0, outside = 0, count = 0]) => ({ inside, outside, count }));
}

/** What an id of the namespace is outside; undefined where it is none there. */
export function idOutside(map: readonly IdRange[], id: number): number | undefined {
  const range = map.find(({ inside, count }) => inside <= id && id < inside + count);
  return range === undefined ? undefined : range.outside + id - range.inside;
}
