/**
 * Reads XML as it arrives, at about the speed at which it can be decompressed.
 *
 * It checks what has to do with structure: one root, tags that match, attributes in quotes, nothing that
 * ends in the middle. What nobody asks for is not judged further: a bad entity in a text that is skipped
 * stays unnoticed. No document type declarations with rules of their own, and UTF-8 only. (A SAX parser
 * takes five times as long for metadata of a whole distribution; a test compares the two.)
 *
 * Input is bytes as `latin1` text, so that a chunk may end anywhere; what is handed out is decoded.
 */

/** Where the text stopped being XML that we read. */
export class XmlError extends Error {
  /** Bytes from the start. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message}, at byte ${offset}`);
    this.name = 'XmlError';
    this.offset = offset;
  }
}

/** What is told of elements. The root has depth 1. */
export interface XmlHandler {
  open(name: string, depth: number, scanner: XmlScanner): void;
  close(name: string, depth: number, scanner: XmlScanner): void;
}

/** A tag, comment or wanted text that is longer than this is a fault, not a document. */
const LONGEST_TOKEN = 1 << 20;

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
const GREATER = 62;
const LESS = 60;
const SLASH = 47;
const EQUALS = 61;
const DOUBLE = 34;
const SINGLE = 39;
const BANG = 33;
const QUESTION = 63;

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #open: string[] = [];
  #rest = '';
  /** Bytes before `#rest`. */
  #offset = 0;
  #started = false;
  #rootSeen = false;
  #collecting = false;
  #text = '';
  /** The current tag: its source, and the ends of names and values of its attributes. */
  #source = '';
  #attributes = new Int32Array(4 * 16);
  #marks = 0;

  constructor(handler: XmlHandler) {
    this.#handler = handler;
  }

  /** From `open` on: keeps the text of the element that was opened, for `text`. */
  collectText(): void {
    this.#collecting = true;
    this.#text = '';
  }

  /** The text since `collectText`, decoded; ends the collecting. */
  text(): string {
    this.#collecting = false;
    return decodeUtf8(this.#text);
  }

  /** The value of an attribute of the element that was just opened, decoded. */
  attribute(name: string): string | undefined {
    let value: string | undefined;
    for (let index = 0; index < this.#marks; index += 4) {
      const [start = 0, end = 0, from = 0, to = 0] = this.#attributes.subarray(index, index + 4);
      if (end - start === name.length && this.#source.startsWith(name, start)) {
        if (value !== undefined) {
          throw this.#error(`The attribute ${name} is there twice`, start);
        }
        value = decodeUtf8(this.#decodeEntities(this.#source.slice(from, to), from));
      }
    }
    return value;
  }

  /** @throws XmlError */
  write(chunk: string): void {
    const source = this.#rest === '' ? chunk : this.#rest + chunk;
    this.#source = source;
    const used = this.#scan(source, this.#started ? 0 : this.#start(source));
    this.#rest = source.slice(used);
    if (this.#rest.length > LONGEST_TOKEN) {
      throw this.#error('Something begins that does not end', used);
    }
    this.#offset += used;
  }

  /** @throws XmlError when the document is not complete. */
  end(): void {
    this.#source = '';
    if (this.#rest.trim() !== '') {
      throw this.#error(`It ends in the middle of '${this.#rest.slice(0, 20)}'`, 0);
    }
    const inside = this.#open.pop();
    if (inside !== undefined) {
      throw this.#error(`It ends inside of <${inside}>`, 0);
    }
    if (!this.#rootSeen) {
      throw this.#error('It has no elements', 0);
    }
  }

  /** After the byte-order mark, once there are enough bytes to see it. */
  #start(source: string): number {
    if (source.length < 4) {
      return 0;
    }
    this.#started = true;
    if (/^(?:\xfe\xff|\xff\xfe|\0)/.test(source)) {
      throw this.#error('It is not UTF-8', 0);
    }
    return source.startsWith('\xef\xbb\xbf') ? 3 : 0;
  }

  /** Returns how much of the source has been used. */
  #scan(source: string, from: number): number {
    let at = this.#started ? from : source.length + 1;
    while (at < source.length) {
      const tag = source.indexOf('<', at);
      if (tag < 0) {
        return this.#keepText(source, at);
      }
      if (tag > at) {
        this.#takeText(source, at, tag);
      }
      const after = this.#markup(source, tag);
      if (after < 0) {
        return tag;
      }
      at = after;
    }
    return Math.min(at, this.#started ? source.length : 0);
  }

  /** A text that has not ended: what is wanted is kept whole, for its entities. */
  #keepText(source: string, at: number): number {
    if (this.#collecting) {
      return at;
    }
    this.#takeText(source, at, source.length);
    return source.length;
  }

  #takeText(source: string, from: number, to: number): void {
    if (this.#collecting) {
      this.#text += this.#decodeEntities(source.slice(from, to), from);
    } else if (this.#open.length === 0 && source.slice(from, to).trim() !== '') {
      throw this.#error('There is text outside of the root element', from);
    }
  }

  /** What starts with `<` at `tag`: the index after it, or -1 when it has not all arrived. */
  #markup(source: string, tag: number): number {
    if (tag + 1 >= source.length) {
      return -1;
    }
    switch (source.charCodeAt(tag + 1)) {
      case SLASH:
        return this.#closeTag(source, tag);
      case BANG:
        return this.#declaration(source, tag);
      case QUESTION:
        return this.#instruction(source, tag);
      default:
        return this.#openTag(source, tag);
    }
  }

  #closeTag(source: string, tag: number): number {
    const end = source.indexOf('>', tag + 2);
    if (end < 0) {
      return -1;
    }
    const depth = this.#open.length;
    const name = this.#open[depth - 1];
    const isRight =
      name !== undefined &&
      source.startsWith(name, tag + 2) &&
      (end === tag + 2 + name.length || source.slice(tag + 2 + name.length, end).trim() === '');
    if (!isRight) {
      const found = source.slice(tag, Math.min(end + 1, tag + 40));
      throw this.#error(`${found} closes ${name === undefined ? 'nothing' : `<${name}>`}`, tag);
    }
    this.#handler.close(name, depth, this);
    this.#open.pop();
    return end + 1;
  }

  #openTag(source: string, tag: number): number {
    let at = skipName(source, tag + 1);
    if (at >= source.length) {
      return -1;
    }
    const name = source.slice(tag + 1, at);
    if (name === '' || /^[-.\d]/.test(name)) {
      throw this.#error("'<' is not followed by a name", tag);
    }
    this.#marks = 0;
    for (;;) {
      const blank = at;
      at = skipBlanks(source, at);
      const char = source.charCodeAt(at);
      if (char === GREATER) {
        this.#opened(name, false, tag);
        return at + 1;
      }
      if (at + 1 >= source.length) {
        return -1;
      }
      if (char === SLASH && source.charCodeAt(at + 1) === GREATER) {
        this.#opened(name, true, tag);
        return at + 2;
      }
      if (at === blank) {
        throw this.#error(`The tag <${name}> is not well-formed`, at);
      }
      at = this.#attribute(source, at);
      if (at < 0) {
        return -1;
      }
    }
  }

  /** One `name="value"`: the index after it, or -1. */
  #attribute(source: string, start: number): number {
    const end = skipName(source, start);
    const equals = skipBlanks(source, end);
    const quoteAt = skipBlanks(source, equals + 1);
    if (quoteAt >= source.length) {
      return -1;
    }
    const quote = source.charCodeAt(quoteAt);
    const isRight =
      end > start && source.charCodeAt(equals) === EQUALS && (quote === DOUBLE || quote === SINGLE);
    if (!isRight) {
      throw this.#error('An attribute is not of the form name="value"', start);
    }
    for (let at = quoteAt + 1; at < source.length; at += 1) {
      const char = source.charCodeAt(at);
      if (char === quote) {
        this.#mark(start, end);
        this.#mark(quoteAt + 1, at);
        return at + 1;
      }
      if (char === LESS) {
        throw this.#error("There is a '<' in an attribute", at);
      }
    }
    return -1;
  }

  #mark(from: number, to: number): void {
    if (this.#marks === this.#attributes.length) {
      const more = new Int32Array(2 * this.#marks);
      more.set(this.#attributes);
      this.#attributes = more;
    }
    this.#attributes[this.#marks] = from;
    this.#attributes[this.#marks + 1] = to;
    this.#marks += 2;
  }

  #opened(name: string, isEmpty: boolean, tag: number): void {
    const depth = this.#open.length + 1;
    if (depth === 1) {
      if (this.#rootSeen) {
        throw this.#error(`<${name}> is a second root element`, tag);
      }
      this.#rootSeen = true;
    }
    this.#open.push(name);
    this.#handler.open(name, depth, this);
    if (isEmpty) {
      this.#handler.close(name, depth, this);
      this.#open.pop();
    }
  }

  #declaration(source: string, tag: number): number {
    if (source.startsWith('<!--', tag)) {
      return after(source, '-->', tag + 4);
    }
    if (source.startsWith('<![CDATA[', tag)) {
      return this.#characterData(source, tag);
    }
    return source.length - tag < 9 ? -1 : this.#documentType(source, tag);
  }

  #characterData(source: string, tag: number): number {
    if (this.#open.length === 0) {
      throw this.#error('There is text outside of the root element', tag);
    }
    const end = source.indexOf(']]>', tag + 9);
    if (end >= 0 && this.#collecting) {
      this.#text += source.slice(tag + 9, end);
    }
    return end < 0 ? -1 : end + 3;
  }

  #documentType(source: string, tag: number): number {
    if (!source.startsWith('<!DOCTYPE', tag) || this.#rootSeen) {
      throw this.#error("'<!' is neither a comment nor CDATA", tag);
    }
    const end = source.indexOf('>', tag);
    if (source.slice(tag, end < 0 ? source.length : end).includes('[')) {
      throw this.#error('A document type with rules of its own is not read', tag);
    }
    return end < 0 ? -1 : end + 1;
  }

  #instruction(source: string, tag: number): number {
    const end = source.indexOf('?>', tag + 2);
    if (end < 0) {
      return -1;
    }
    const encoding = /^<\?xml\s[^?]*\bencoding\s*=\s*["']([^"']*)["']/.exec(
      source.slice(tag, Math.min(end, tag + 200)),
    )?.[1];
    if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
      throw this.#error(`Its encoding is ${encoding}: only UTF-8 is read`, tag);
    }
    return end + 2;
  }

  #decodeEntities(text: string, from: number): string {
    return text.includes('&')
      ? text.replace(/&(?:([^;&\s]{1,32});)?/g, (found, name: string | undefined) => {
          const value = name === undefined ? undefined : entity(name);
          if (value === undefined) {
            throw this.#error(`'${found}' is no entity`, from);
          }
          return Buffer.from(value).toString('latin1');
        })
      : text;
  }

  #error(message: string, at: number): XmlError {
    return new XmlError(message, this.#offset + at);
  }
}

function entity(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
  if (digits === null) {
    return ENTITIES[name];
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

function skipName(source: string, from: number): number {
  let at = from;
  while (at < source.length && KINDS[source.charCodeAt(at)] === NAME) {
    at += 1;
  }
  return at;
}

function skipBlanks(source: string, from: number): number {
  let at = from;
  while (at < source.length && KINDS[source.charCodeAt(at)] === BLANK) {
    at += 1;
  }
  return at;
}

/** The index after `mark`, or -1. */
function after(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? -1 : end + mark.length;
}

/** Also makes a copy, so that a short text does not keep the chunk in memory that it came from. */
function decodeUtf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
