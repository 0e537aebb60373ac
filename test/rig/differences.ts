/**
 * What differs between an image of upstream and one of ours, sorted into what is expected, for a
 * reason that the documentation has, and what is not. Pure.
 */
import { compareTrees, type Field, type TreeEntry } from '../../src/output/compare-trees.ts';

export type Entries = ReadonlyMap<string, TreeEntry>;

export type What = Field | 'only-upstream' | 'only-ours';

/** One thing about one path. */
export interface Finding {
  readonly path: string;
  readonly what: What;
  /** As people read it. */
  readonly text: string;
}

/** Differences that are as they should be. */
export interface Expected {
  readonly path: RegExp;
  readonly what: readonly What[];
  /** A sentence, or a part of one, of docs/compatibility.md. */
  readonly because: string;
}

export interface Judgement {
  readonly unexpected: readonly Finding[];
  /** Rows that nothing is like any more. */
  readonly idle: readonly Expected[];
}

/**
 * Everything that differs. Of times only those that upstream keeps, which are those before
 * `startedAt`, in seconds: the others say when a build was.
 */
export function findingsOf(
  upstream: Entries,
  ours: Entries,
  startedAt: number,
): readonly Finding[] {
  return compareTrees(upstream, ours).flatMap((one): readonly Finding[] => {
    if (one.kind !== 'differs') {
      const what = one.kind === 'only-left' ? 'only-upstream' : 'only-ours';
      return [{ path: one.path, what, text: `${one.type}, ${what}` }];
    }
    return one.fields
      .filter(({ field }) => field !== 'time' || isKept(upstream.get(one.path), startedAt))
      .map(({ field, left, right }) => ({
        path: one.path,
        what: field,
        text: `${field}: upstream ${left}, ours ${right}`,
      }));
  });
}

function isKept(entry: TreeEntry | undefined, startedAt: number): boolean {
  return entry !== undefined && entry.mtime < startedAt;
}

/** Findings but those that two builds of upstream differ in, too. */
export function aboveNoise(
  findings: readonly Finding[],
  noise: readonly Finding[],
): readonly Finding[] {
  const known = new Set(noise.map(keyOf));
  return findings.filter((finding) => !known.has(keyOf(finding)));
}

/** A path that one of two builds lacks is noise whichever of the tools lacks it. */
function keyOf({ path, what }: Finding): string {
  return `${what.startsWith('only-') ? 'presence' : what} ${path}`;
}

export function judge(findings: readonly Finding[], table: readonly Expected[]): Judgement {
  const rowsOf = (finding: Finding): readonly Expected[] =>
    table.filter(({ path, what }) => what.includes(finding.what) && path.test(finding.path));
  const unexpected = findings.filter((finding) => rowsOf(finding).length === 0);
  const met = new Set(findings.flatMap(rowsOf));
  return { unexpected, idle: table.filter((row) => !met.has(row)) };
}

/** A line for each thing to be mended; none when all is as expected. */
export function report({ unexpected, idle }: Judgement): readonly string[] {
  return [
    ...unexpected.map(({ path, text }) => `unexpected: ${path}: ${text}`),
    ...idle.map(({ path, what, because }) => `no longer there: ${path} ${what} (${because})`),
  ];
}
