/** The attributes of one tag: where they are, so that only those that somebody asks for are decoded. */
import { DOUBLE, EQUALS, LESS, SINGLE, skipBlanks, skipName } from './xml-bytes.ts';
import { decodeText } from './xml-entities.ts';
import { XmlError } from './xml-error.ts';

export class XmlAttributes {
  #source: Buffer = Buffer.alloc(0);
  /** Bytes before `#source`. */
  #offset = 0;
  /** Of each: start and end of its name, start and end of its value. */
  #marks = new Int32Array(4 * 16);
  #used = 0;

  /** For the next tag. */
  begin(source: Buffer, offset: number): void {
    this.#source = source;
    this.#offset = offset;
    this.#used = 0;
  }

  /** Takes the `name="value"` at `start`. The index after it, or -1 when it has not all arrived. @throws XmlError */
  take(start: number): number {
    const source = this.#source;
    const end = skipName(source, start);
    const equals = skipBlanks(source, end);
    const quoteAt = skipBlanks(source, equals + 1);
    if (quoteAt >= source.length) {
      return -1;
    }
    const quote = source[quoteAt];
    const isRight =
      end > start && source[equals] === EQUALS && (quote === DOUBLE || quote === SINGLE);
    if (!isRight) {
      throw this.#error('An attribute is not of the form name="value"', start);
    }
    for (let at = quoteAt + 1; at < source.length; at += 1) {
      const char = source[at];
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

  /** The value of an attribute, decoded. @throws XmlError */
  get(name: string): string | undefined {
    let value: string | undefined;
    for (let index = 0; index < this.#used; index += 4) {
      const [start, end] = [this.#marks[index] as number, this.#marks[index + 1] as number];
      if (end - start === name.length && this.#source.toString('latin1', start, end) === name) {
        const [from, to] = [this.#marks[index + 2] as number, this.#marks[index + 3] as number];
        if (value !== undefined) {
          throw this.#error(`The attribute ${name} is there twice`, start);
        }
        value = decodeText(this.#source.subarray(from, to), this.#offset + from);
      }
    }
    return value;
  }

  #mark(from: number, to: number): void {
    if (this.#used === this.#marks.length) {
      const more = new Int32Array(2 * this.#used);
      more.set(this.#marks);
      this.#marks = more;
    }
    this.#marks[this.#used] = from;
    this.#marks[this.#used + 1] = to;
    this.#used += 2;
  }

  #error(message: string, at: number): XmlError {
    return new XmlError(message, this.#offset + at);
  }
}
