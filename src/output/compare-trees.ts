/** Two trees of files, or two disks of them, path by path. Pure. */

export type TreeEntryType =
  | 'file'
  | 'link'
  | 'directory'
  | 'character device'
  | 'block device'
  | 'pipe'
  /** Of a disk. What is in a partition follows under its number: `1:/etc/motd`. */
  | 'partition table'
  | 'partition';

export interface TreeEntry {
  readonly type: TreeEntryType;
  readonly mode: number;
  /** `UID:GID`. */
  readonly owner: string;
  /** Seconds, with a fraction where the archive has one. */
  readonly mtime: number;
  /** Extended attributes; of a partition what the table says. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Where a link points; of a file with several names the first of them. */
  readonly link?: string;
  /** `MAJOR:MINOR`. */
  readonly device?: string;
  /** Of a file's content. */
  readonly size?: number;
  readonly sha256?: string;
}

/** What may differ between two entries. */
export type Field = 'type' | 'mode' | 'owner' | 'time' | 'xattrs' | 'link' | 'device' | 'content';

export interface FieldDifference {
  readonly field: Field;
  /** As people read it. */
  readonly left: string;
  readonly right: string;
}

export type Difference =
  | {
      readonly path: string;
      readonly kind: 'only-left' | 'only-right';
      readonly type: TreeEntryType;
    }
  | {
      readonly path: string;
      readonly kind: 'differs';
      readonly fields: readonly FieldDifference[];
    };

const FIELDS: readonly { readonly field: Field; readonly show: (entry: TreeEntry) => string }[] = [
  { field: 'type', show: ({ type }) => type },
  { field: 'mode', show: ({ mode }) => mode.toString(8).padStart(4, '0') },
  { field: 'owner', show: ({ owner }) => owner },
  { field: 'time', show: ({ mtime }) => timeText(mtime) },
  { field: 'xattrs', show: ({ xattrs }) => xattrText(xattrs) },
  { field: 'link', show: ({ link = '' }) => link },
  { field: 'device', show: ({ device = '' }) => device },
  { field: 'content', show: contentText },
];

/** All differences but those in fields to `ignore`, by path. */
export function compareTrees(
  left: ReadonlyMap<string, TreeEntry>,
  right: ReadonlyMap<string, TreeEntry>,
  { ignore = [] }: { readonly ignore?: readonly Field[] } = {},
): readonly Difference[] {
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort();
  return paths.flatMap((path): readonly Difference[] => {
    const [a, b] = [left.get(path), right.get(path)];
    if (a === undefined || b === undefined) {
      const type = (a ?? b)?.type ?? 'file';
      return [{ path, kind: b === undefined ? 'only-left' : 'only-right', type }];
    }
    const fields = compareEntries(a, b).filter(({ field }) => !ignore.includes(field));
    return fields.length === 0 ? [] : [{ path, kind: 'differs', fields }];
  });
}

function compareEntries(left: TreeEntry, right: TreeEntry): readonly FieldDifference[] {
  const differing = FIELDS.map(({ field, show }) => ({
    field,
    left: show(left),
    right: show(right),
  })).filter((one) => one.left !== one.right);
  // Of two kinds of things only that is worth saying.
  return differing[0]?.field === 'type' ? differing.slice(0, 1) : differing;
}

function timeText(seconds: number): string {
  const whole = Math.floor(seconds);
  const fraction = seconds === whole ? '' : `+${(seconds - whole).toFixed(9).replace(/0+$/, '')}`;
  return `${new Date(whole * 1000).toISOString().replace('.000Z', 'Z')}${fraction}`;
}

function xattrText(xattrs: Readonly<Record<string, string>>): string {
  return Object.entries(xattrs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function contentText({ size, sha256 }: TreeEntry): string {
  return sha256 === undefined ? '' : `${size} bytes, sha256 ${sha256.slice(0, 12)}`;
}

/** One line for each difference; `names` are what the two sides are called. */
export function renderDifferences(
  differences: readonly Difference[],
  names: readonly [string, string],
): readonly string[] {
  return differences.flatMap((one) => {
    if (one.kind !== 'differs') {
      return [`only in ${one.kind === 'only-left' ? names[0] : names[1]}: ${one.type} ${one.path}`];
    }
    return one.fields.map(({ field, left, right }) => `${one.path}: ${field} ${left} | ${right}`);
  });
}
