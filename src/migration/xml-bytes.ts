/**
 * The bytes that XML is made of. Markup is ASCII, and in UTF-8 no byte of another letter looks like it: so
 * a document can be taken apart before it is decoded.
 */

export const GREATER = 62;
export const LESS = 60;
export const SLASH = 47;
export const EQUALS = 61;
export const DOUBLE = 34;
export const SINGLE = 39;
export const BANG = 33;
export const QUESTION = 63;

/** What a byte is in a tag. Bytes above 127 are parts of letters. */
const NAME = 0;
const BLANK = 1;
const SPECIAL = 2;
const KINDS = new Uint8Array(256);
for (const char of ' \t\r\n') {
  KINDS[char.charCodeAt(0)] = BLANK;
}
for (const char of '/>=<"\'&!?') {
  KINDS[char.charCodeAt(0)] = SPECIAL;
}

/** The index after the name that begins at `from`. */
export function skipName(source: Buffer, from: number): number {
  let at = from;
  while (at < source.length && KINDS[source[at] as number] === NAME) {
    at += 1;
  }
  return at;
}

/** The index of what is not blank, from `from` on. */
export function skipBlanks(source: Buffer, from: number): number {
  let at = from;
  while (at < source.length && KINDS[source[at] as number] === BLANK) {
    at += 1;
  }
  return at;
}

/** Texts between tags are short more often than not: then a search costs more than looking. */
const NEAR = 64;

/** The index of the next `<`, or -1. */
export function indexOfLess(source: Buffer, from: number): number {
  const near = Math.min(source.length, from + NEAR);
  for (let at = from; at < near; at += 1) {
    if (source[at] === LESS) {
      return at;
    }
  }
  return source.indexOf(LESS, near);
}

/** The index after `mark`, or -1. */
export function indexAfter(source: Buffer, mark: string, from: number): number {
  const end = source.indexOf(mark, from, 'latin1');
  return end < 0 ? -1 : end + mark.length;
}

/** Whether these bytes are at an index. Nothing is, behind the end. */
export function hasBytesAt(source: Buffer, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < bytes.length; index += 1) {
    if (source[from + index] !== bytes[index]) {
      return false;
    }
  }
  return true;
}
