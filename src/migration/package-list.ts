/**
 * The lists of source packages: one record a line, `URL NAME VERSION`, as the original has them.
 *
 * A package is known by the name of its file, which says name, version and release: it stays the same
 * when a mirror changes its host or directories, and when a package is in several repositories.
 */

/** What may be in an address below the repository: it ends up in scripts of others. */
const PATH = /^[A-Za-z0-9._+~^@%=,-]+(?:\/[A-Za-z0-9._+~^@%=,-]+)*$/;
const BASE = /^https?:\/\/[A-Za-z0-9.-]+(?::\d+)?(?:\/[A-Za-z0-9._+~^@%=,:/-]*)?$/;
const FILE = /\.(?:no)?src\.rpm$/;
const WORD = /^[A-Za-z0-9._+~^:%@-]+$/;
const LONGEST_URL = 600;
const LONGEST_WORDS = 200;

/** A package as metadata has it. */
export interface ListedPackage {
  readonly name: string;
  readonly version: string;
  readonly href: string;
  /** `xml:base`, when the metadata has one. */
  readonly base: string | undefined;
}

/**
 * The line for a package of the repository at `root`, or why it cannot have one. Nothing gets into a
 * line that a shell, a URL or the list itself could take for something else.
 */
export function packageLine(
  listed: ListedPackage,
  root: string,
): { readonly line: string } | { readonly unusable: string } {
  const { name, version, href } = listed;
  const isShort = name.length + version.length <= LONGEST_WORDS;
  if (!WORD.test(name) || !WORD.test(version) || !isShort) {
    return { unusable: `the name or version ${JSON.stringify(`${name} ${version}`)}` };
  }
  if (listed.base !== undefined && !BASE.test(listed.base)) {
    return { unusable: `the base ${JSON.stringify(listed.base)} of ${name}` };
  }
  const path = href.replace(/^(?:\.?\/+)+/, '').replace(/\/{2,}/g, '/');
  const segments = path.split('/');
  if (!PATH.test(path) || !FILE.test(path) || segments.some((part) => /^\.\.?$/.test(part))) {
    return { unusable: `the address ${JSON.stringify(href)} of ${name}` };
  }
  const url = `${(listed.base ?? root).replace(/\/+$/, '')}/${path}`;
  return url.length > LONGEST_URL
    ? { unusable: `the address of ${name}: ${url.length} characters` }
    : { line: `${url} ${name} ${version}` };
}

/** The key of a line: the name of the package's file. */
export function fileOf(line: string): string {
  const blank = line.indexOf(' ');
  const end = blank < 0 ? line.length : blank;
  return line.slice(line.lastIndexOf('/', end) + 1, end);
}

/** The address in a line. */
export function urlOf(line: string): string {
  const blank = line.indexOf(' ');
  return blank < 0 ? line : line.slice(0, blank);
}

/** `NAME VERSION`: what makes a package the target's too. */
export function nameAndVersionOf(line: string): string {
  return line.slice(line.indexOf(' ') + 1);
}

/** The lines of a list; one that is empty is none. */
export function* linesOf(text: string): Generator<string> {
  let from = 0;
  while (from < text.length) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    if (to > from) {
      yield text.slice(from, to);
    }
    from = to + 1;
  }
}

/** The lists of several repositories as one, every file once: the first repository that has it counts. */
export function mergeLists(lists: readonly string[]): readonly string[] {
  const merged = new Map<string, string>();
  for (const list of lists) {
    for (const line of linesOf(list)) {
      const file = fileOf(line);
      if (!merged.has(file)) {
        merged.set(file, line);
      }
    }
  }
  return [...merged.values()];
}
