/** Makes text that others wrote safe and narrow enough for a terminal. */
import { stripVTControlCharacters } from 'node:util';

// What is left of control characters after escape sequences are gone, and the marks that reorder
// text, with which a line could pretend to be another one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * `line` as one line of plain text: no escape sequences, no control characters, tabs as spaces.
 *
 * Of a line that overwrites itself with carriage returns (progress bars) the last state is kept.
 */
export function displayText(line: string): string {
  return lastState(stripVTControlCharacters(line))
    .replaceAll('\t', '    ')
    .replaceAll('\n', ' ')
    .replace(UNSAFE, '');
}

function lastState(line: string): string {
  const states = line.split('\r').filter((state) => state.trim() !== '');
  return states.at(-1) ?? '';
}

/** The number of terminal cells that a text takes; `string-width` in life. */
export type WidthOf = (text: string) => number;

/** Made when a text has to be cut: what it has to load takes 9 ms (measured). */
let segmenter: Intl.Segmenter | undefined;

/** `text` if it fits into `cells`, else as much of it as fits with `mark` at the end. */
export function fitWidth(
  text: string,
  cells: number,
  how: { readonly widthOf: WidthOf; readonly mark: string },
): string {
  // A character takes at most two cells; what is beyond can only be cut.
  const candidate = text.slice(0, cells * 8);
  if (candidate.length === text.length && how.widthOf(text) <= cells) {
    return text;
  }
  const room = cells - how.widthOf(how.mark);
  let kept = '';
  let used = 0;
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(candidate)) {
    used += how.widthOf(segment);
    if (used > room) {
      break;
    }
    kept += segment;
  }
  return room < 0 ? '' : kept + how.mark;
}
