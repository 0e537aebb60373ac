/**
 * Reads XML as it arrives, faster than it can be decompressed.
 *
 * It checks what has to do with structure: one root, tags that match, attributes in quotes, nothing that
 * ends in the middle. What nobody asks for is not judged further: a bad entity in a text that is skipped
 * stays unnoticed. No document type declarations with rules of their own, and UTF-8 only. (A SAX parser
 * takes many times as long for metadata of a whole distribution; a test compares the two.)
 *
 * Input is bytes, so that a chunk may end anywhere; only what is handed out is decoded.
 */
import { XmlAttributes } from './xml-attributes.ts';
import {
  BANG,
  GREATER,
  hasBytesAt,
  indexAfter,
  indexOfLess,
  QUESTION,
  SLASH,
  skipBlanks,
  skipName,
} from './xml-bytes.ts';
import { decodeText } from './xml-entities.ts';
import { XmlError } from './xml-error.ts';
import { type XmlName, XmlNames } from './xml-names.ts';

/** What is told of elements. The root has depth 1. */
export interface XmlHandler {
  open(name: string, depth: number, scanner: XmlScanner): void;
  close(name: string, depth: number, scanner: XmlScanner): void;
}

/** A tag, comment or wanted text that is longer than this is a fault, not a document. */
const LONGEST_TOKEN = 1 << 20;
/** What it takes to tell the encoding. */
const LONGEST_MARK = 4;

export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #names = new XmlNames();
  readonly #open: XmlName[] = [];
  /** Of the current tag. */
  readonly #attributes = new XmlAttributes();
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes before `#rest`. */
  #offset = 0;
  #started = false;
  #rootSeen = false;
  #collecting = false;
  #text = '';

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
    return this.#text;
  }

  /** The value of an attribute of the element that was just opened, decoded. @throws XmlError */
  attribute(name: string): string | undefined {
    return this.#attributes.get(name);
  }

  /** @throws XmlError, or what the handler throws. */
  write(chunk: Buffer): void {
    const source = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const from = this.#started ? 0 : this.#start(source);
    const used = this.#started ? this.#scan(source, from) : 0;
    this.#rest = source.subarray(used);
    if (this.#rest.length > LONGEST_TOKEN) {
      throw this.#error('Something begins that does not end', used);
    }
    this.#offset += used;
  }

  /** @throws XmlError when the document is not complete. */
  end(): void {
    const rest = this.#rest.toString('utf8', 0, 20);
    if (rest.trim() !== '') {
      throw this.#error(`It ends in the middle of '${rest}'`, 0);
    }
    const inside = this.#open.pop();
    if (inside !== undefined) {
      throw this.#error(`It ends inside of <${inside.text}>`, 0);
    }
    if (!this.#rootSeen) {
      throw this.#error('It has no elements', 0);
    }
  }

  /** After the byte-order mark, once there are enough bytes to see it. */
  #start(source: Buffer): number {
    if (source.length < LONGEST_MARK) {
      return 0;
    }
    this.#started = true;
    const mark = source.toString('latin1', 0, LONGEST_MARK);
    if (/^(?:\xfe\xff|\xff\xfe|\0)/.test(mark)) {
      throw this.#error('It is not UTF-8', 0);
    }
    return mark.startsWith('\xef\xbb\xbf') ? 3 : 0;
  }

  /** Returns how much of the source has been used. */
  #scan(source: Buffer, from: number): number {
    let at = from;
    while (at < source.length) {
      const tag = indexOfLess(source, at);
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
    return at;
  }

  /** A text that has not ended: what is wanted is kept whole, for its entities. */
  #keepText(source: Buffer, at: number): number {
    if (this.#collecting) {
      return at;
    }
    this.#takeText(source, at, source.length);
    return source.length;
  }

  #takeText(source: Buffer, from: number, to: number): void {
    if (this.#collecting) {
      this.#text += decodeText(source.subarray(from, to), this.#offset + from);
    } else if (this.#open.length === 0 && source.toString('utf8', from, to).trim() !== '') {
      throw this.#error('There is text outside of the root element', from);
    }
  }

  /** What starts with `<` at `tag`: the index after it, or -1 when it has not all arrived. */
  #markup(source: Buffer, tag: number): number {
    if (tag + 1 >= source.length) {
      return -1;
    }
    switch (source[tag + 1]) {
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

  #closeTag(source: Buffer, tag: number): number {
    const name = this.#open[this.#open.length - 1];
    if (name !== undefined && hasBytesAt(source, name.bytes, tag + 2)) {
      const end = skipBlanks(source, tag + 2 + name.bytes.length);
      if (source[end] === GREATER) {
        this.#handler.close(name.text, this.#open.length, this);
        this.#open.pop();
        return end + 1;
      }
    }
    const end = source.indexOf(GREATER, tag + 2);
    if (end < 0) {
      return -1;
    }
    const found = source.toString('utf8', tag, Math.min(end + 1, tag + 40));
    throw this.#error(`${found} closes ${name === undefined ? 'nothing' : `<${name.text}>`}`, tag);
  }

  #openTag(source: Buffer, tag: number): number {
    let at = skipName(source, tag + 1);
    if (at >= source.length) {
      return -1;
    }
    if (at === tag + 1 || isNoFirstLetter(source[tag + 1] as number)) {
      throw this.#error("'<' is not followed by a name", tag);
    }
    const name = this.#names.find(source, tag + 1, at);
    this.#attributes.begin(source, this.#offset);
    for (;;) {
      const blank = at;
      at = skipBlanks(source, at);
      const char = source[at];
      if (char === GREATER) {
        this.#opened(name, false, tag);
        return at + 1;
      }
      if (at + 1 >= source.length) {
        return -1;
      }
      if (char === SLASH && source[at + 1] === GREATER) {
        this.#opened(name, true, tag);
        return at + 2;
      }
      if (at === blank) {
        throw this.#error(`The tag <${name.text}> is not well-formed`, at);
      }
      at = this.#attributes.take(at);
      if (at < 0) {
        return -1;
      }
    }
  }

  #opened(name: XmlName, isEmpty: boolean, tag: number): void {
    const depth = this.#open.length + 1;
    if (depth === 1) {
      if (this.#rootSeen) {
        throw this.#error(`<${name.text}> is a second root element`, tag);
      }
      this.#rootSeen = true;
    }
    this.#open.push(name);
    this.#handler.open(name.text, depth, this);
    if (isEmpty) {
      this.#handler.close(name.text, depth, this);
      this.#open.pop();
    }
  }

  #declaration(source: Buffer, tag: number): number {
    const start = source.toString('latin1', tag, tag + 9);
    if (start.startsWith('<!--')) {
      return indexAfter(source, '-->', tag + 4);
    }
    if (start === '<![CDATA[') {
      return this.#characterData(source, tag);
    }
    if (start === '<!DOCTYPE' && !this.#rootSeen) {
      return this.#documentType(source, tag);
    }
    if (start.length < 9) {
      return -1;
    }
    throw this.#error("'<!' is neither a comment nor CDATA", tag);
  }

  #characterData(source: Buffer, tag: number): number {
    if (this.#open.length === 0) {
      throw this.#error('There is text outside of the root element', tag);
    }
    const after = indexAfter(source, ']]>', tag + 9);
    if (after >= 0 && this.#collecting) {
      this.#text += source.toString('utf8', tag + 9, after - 3);
    }
    return after;
  }

  #documentType(source: Buffer, tag: number): number {
    const end = source.indexOf(GREATER, tag);
    if (source.subarray(tag, end < 0 ? source.length : end).includes('[')) {
      throw this.#error('A document type with rules of its own is not read', tag);
    }
    return end < 0 ? -1 : end + 1;
  }

  #instruction(source: Buffer, tag: number): number {
    const after = indexAfter(source, '?>', tag + 2);
    if (after < 0) {
      return -1;
    }
    const encoding = /^<\?xml\s[^?]*\bencoding\s*=\s*["']([^"']*)["']/.exec(
      source.toString('latin1', tag, Math.min(after, tag + 200)),
    )?.[1];
    if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
      throw this.#error(`Its encoding is ${encoding}: only UTF-8 is read`, tag);
    }
    return after;
  }

  #error(message: string, at: number): XmlError {
    return new XmlError(message, this.#offset + at);
  }
}

/** A digit, a dot or a dash. */
function isNoFirstLetter(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e;
}
