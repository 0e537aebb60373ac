/** The names of a document's elements: there are few, which come again and again. */
import { hasBytesAt } from './xml-bytes.ts';

export interface XmlName {
  readonly text: string;
  readonly bytes: Uint8Array;
}

const SLOTS = 256;

export class XmlNames {
  /** Each in the slot that its length and outer letters say; one that comes later takes the place. */
  readonly #slots: (XmlName | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The name between two indices. */
  find(source: Buffer, from: number, to: number): XmlName {
    const length = to - from;
    const [first, last] = [source[from] as number, source[to - 1] as number];
    const slot = (length * 37 + first * 5 + last) % SLOTS;
    const known = this.#slots[slot];
    if (known !== undefined && known.bytes.length === length) {
      if (hasBytesAt(source, known.bytes, from)) {
        return known;
      }
    }
    const name = {
      text: source.toString('utf8', from, to),
      bytes: Uint8Array.from(source.subarray(from, to)),
    };
    this.#slots[slot] = name;
    return name;
  }
}
