/** What is new: neither in the history nor in the target. Exact on file, and on name and version. */
import { type Fragment, fragmentsOf, type HistoryList } from './history-list.ts';
import { fileOf, nameAndVersionOf } from './package-list.ts';

export interface Difference {
  /** Lines of new packages, in the order of the lists. */
  readonly fresh: readonly string[];
  readonly known: number;
  readonly inTarget: number;
  /** Lines that half a line of the history stands for: known, and the half can be mended. */
  readonly mended: readonly (readonly [fragment: Fragment, line: string])[];
  /** Half lines that may stand for several packages, which are left alone. */
  readonly ambiguous: readonly (readonly [fragment: Fragment, lines: readonly string[]])[];
}

/**
 * Compares the lines of the source repositories with the history and with the target, where `target` is
 * the set of `NAME VERSION`.
 */
export function difference(
  lines: readonly string[],
  history: HistoryList,
  target: ReadonlySet<string>,
): Difference {
  const fresh: string[] = [];
  const halves = new Map<Fragment, string[]>();
  let known = 0;
  let inTarget = 0;
  for (const line of lines) {
    const [fragment] = history.fragments.length === 0 ? [] : fragmentsOf(line, history);
    if (history.files.has(fileOf(line))) {
      known += 1;
    } else if (fragment !== undefined) {
      halves.set(fragment, [...(halves.get(fragment) ?? []), line]);
    } else if (target.has(nameAndVersionOf(line))) {
      inTarget += 1;
    } else {
      fresh.push(line);
    }
  }
  const found = [...halves];
  const mended = found.flatMap(([fragment, [line, ...others]]) =>
    line !== undefined && others.length === 0 ? [[fragment, line] as const] : [],
  );
  return {
    fresh,
    known: known + mended.length,
    inTarget,
    mended,
    ambiguous: found.filter(([, candidates]) => candidates.length > 1),
  };
}
