/**
 * The history list as text: which packages have been seen to, and what to make of lines that are not whole.
 *
 * The original appends in place: a kill leaves half a line at the end, and its next append continues that
 * line with another record. Half a line still says something: a package whose line begins with it may be
 * the one that was written, and is not submitted again.
 */
import { fileOf, linesOf } from './package-list.ts';

/** Half a line, where it is. */
export interface Fragment {
  /** In the file, from 1. */
  readonly lineNumber: number;
  readonly text: string;
}

export interface HistoryList {
  /** The keys of all packages in it. */
  readonly files: ReadonlySet<string>;
  readonly fragments: readonly Fragment[];
}

const SOURCE_FILE = /^[^/]+\.(?:no)?src\.rpm$/;

export function parseHistory(text: string): HistoryList {
  const files = new Set<string>();
  const fragments: Fragment[] = [];
  let lineNumber = 0;
  for (const line of text.split('\n')) {
    lineNumber += 1;
    for (const record of recordsIn(line)) {
      const file = fileOf(record);
      if (file.endsWith('src.rpm') && SOURCE_FILE.test(file)) {
        files.add(file);
      } else {
        fragments.push({ lineNumber, text: record });
      }
    }
  }
  return { files, fragments };
}

/** The records in one line: more than one where a record follows half of another. */
function recordsIn(line: string): readonly string[] {
  const second = line.indexOf('://', line.indexOf('://') + 3);
  if (second < 0 && !line.includes('\0') && !line.endsWith('\r')) {
    return line === '' ? [] : [line];
  }
  return line
    .replace(/[\0\r]/g, '')
    .split(/(?=https?:\/\/)/)
    .map((record) => record.trim())
    .filter((record) => record !== '');
}

/**
 * The list with fragments replaced by the lines they stand for, or taken out (undefined). Each record gets
 * a line of its own.
 */
export function mendHistory(
  text: string,
  mended: ReadonlyMap<Fragment, string | undefined>,
): string {
  const lines = text.split('\n');
  for (const [fragment, whole] of mended) {
    const index = fragment.lineNumber - 1;
    const records = recordsIn(lines[index] ?? '').flatMap((record) =>
      record !== fragment.text ? [record] : whole === undefined ? [] : [whole],
    );
    lines[index] = records.join(MENDED);
  }
  return lines
    .filter((line, index) => line !== '' || index === lines.length - 1)
    .join('\n')
    .split(MENDED)
    .join('\n');
}

/** Stands for a newline while lines are counted. */
const MENDED = '\r';

/** The fragments that a line may be the whole of. */
export function fragmentsOf(line: string, history: HistoryList): readonly Fragment[] {
  return history.fragments.filter(({ text }) => line.startsWith(text));
}

/** The list with more lines at its end, which do not continue a line that was not ended. */
export function appendLines(text: string, lines: readonly string[]): string {
  const head = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return lines.length === 0 ? head : `${head}${lines.join('\n')}\n`;
}

/** The name and version of every package in a target's lists. */
export function targetNames(lists: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const list of lists) {
    for (const line of linesOf(list)) {
      names.add(line.slice(line.indexOf(' ') + 1));
    }
  }
  return names;
}
