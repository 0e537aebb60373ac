/** What a check says of a file of an element. */

/** A file of an element, as the checks see it. */
export interface LintFile {
  /** Below the element, for example `install.d/10-foo`. */
  readonly path: string;
  readonly executable: boolean;
  /** Empty for a binary file. */
  readonly text: string;
}

export interface Finding {
  /** Its name for `# dib-lint: disable=NAME`. */
  readonly check: string;
  /** An `error` fails the run; a `warning` does with `--strict`. */
  readonly severity: 'error' | 'warning';
  readonly path: string;
  /** From 1. */
  readonly line?: number;
  readonly message: string;
  /** What would be right, where that can be said without thinking. */
  readonly fix?: Fix;
}

export type Fix = { readonly executable: true } | { readonly text: string };

/** A check of one file by itself. */
export type FileCheck = (file: LintFile) => readonly Finding[];

/** The lines of a text; a newline at its end starts no further line. */
export function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n');
}

/** Findings for the lines that `test` accepts. */
export function findLines(
  file: LintFile,
  finding: Pick<Finding, 'check' | 'severity' | 'message'>,
  test: (line: string) => boolean,
): readonly Finding[] {
  return linesOf(file.text).flatMap((line, index) =>
    test(line) ? [{ ...finding, path: file.path, line: index + 1 }] : [],
  );
}

/** The checks that a file switches off for itself. Source: dib-contract, 1.6. */
export function disabledChecks(text: string): readonly string[] {
  return [...text.matchAll(/^# dib-lint: disable=(.+)$/gm)].flatMap(([, names = '']) =>
    names.trim().split(/[\s,]+/),
  );
}
