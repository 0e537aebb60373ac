/** Decodes texts and attributes: UTF-8, the five entities that XML has by itself, and numbers of characters. */
import { XmlError } from './xml-error.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

/** The text that `bytes` stand for; `offset`: how many bytes were before them. @throws XmlError */
export function decodeText(bytes: Buffer, offset: number): string {
  const text = bytes.toString('utf8');
  return text.includes('&')
    ? text.replace(/&(?:([^;&\s]{1,32});)?/g, (found, name: string | undefined) => {
        const value = name === undefined ? undefined : entity(name);
        if (value === undefined) {
          throw new XmlError(`'${found}' is no entity`, offset);
        }
        return value;
      })
    : text;
}

function entity(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
  if (digits === null) {
    return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
  }
  const [, hexadecimal, decimal] = digits;
  const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
  const isChar =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code < 0xd800) ||
    (code > 0xdfff && code < 0xfffe) ||
    (code >= 0x10000 && code <= 0x10ffff);
  return isChar ? String.fromCodePoint(code) : undefined;
}
