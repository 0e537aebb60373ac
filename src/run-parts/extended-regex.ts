/**
 * POSIX extended regular expressions, as `grep -E` reads them, in terms of JavaScript's.
 *
 * They differ inside brackets: there a backslash is itself, `]` may come first, and `[:alpha:]`
 * names a class. Source: POSIX.1-2017 9.3.5 and 9.4.
 */
import { configError } from '../events/failure.ts';

/**
 * A JavaScript expression that matches what `grep -E` matches in the C locale.
 *
 * @throws Failed `config`: it is not an extended regular expression
 */
export function extendedRegex(text: string): RegExp {
  try {
    return new RegExp(text.replace(BRACKET_OR_ESCAPE, translate), 's');
  } catch (error) {
    throw configError(`Cannot read the regular expression for hook names: '${text}'`, {
      hint: `RUN_PARTS_REGEX is an extended regular expression: ${(error as Error).message}`,
    });
  }
}

/** An escaped character, or a whole bracket expression, classes in it included. */
const BRACKET_OR_ESCAPE = /\\.|\[(\^?)(\]?(?:\[:[a-z]+:\]|[^\]])*)\]/gs;

function translate(match: string, not: string | undefined, items: string | undefined): string {
  if (items === undefined) {
    return WORD_EDGES.get(match) ?? match;
  }
  const inside = items
    .replace(/\[:([a-z]+):\]|[\\\][]/g, (item: string, name: string | undefined) =>
      name === undefined ? `\\${item}` : (CLASSES[name] ?? item),
    )
    .replace(/^-|-$/g, '\\-');
  return `[${not}${inside}]`;
}

/** GNU's `\<` and `\>`. */
const WORD_EDGES: ReadonlyMap<string, string> = new Map([
  ['\\<', '\\b(?=\\w)'],
  ['\\>', '\\b(?<=\\w)'],
]);

const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: ' \\t-\\r',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
};
