/** Reads values out of a YAML document and says, for each that is wrong, in which line it is. */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { configError, type Failed } from '../events/failure.ts';

interface Source {
  readonly file: string;
  readonly lines: LineCounter;
}

/** One value of the document, and what it is called in messages: `submit.attempts`. */
export class YamlValue {
  readonly name: string;
  readonly #node: Node | null;
  readonly #source: Source;

  private constructor(name: string, node: Node | null, source: Source) {
    this.name = name;
    this.#node = node;
    this.#source = source;
  }

  /** @throws Failed `config` when `text` is not YAML. */
  static parse(text: string, file: string): YamlValue {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines });
    const source = { file, lines };
    const [error] = document.errors;
    if (error !== undefined) {
      const { line } = lines.linePos(error.pos[0]);
      const [first = 'not YAML'] = error.message.split('\n');
      throw configError(first.replace(/ at line \d+, column \d+:?$/, ''), { at: { file, line } });
    }
    return new YamlValue('the configuration', document.contents as Node | null, source);
  }

  /** A failure about this value. */
  wrong(expected: string, hint?: string): Failed {
    const offset = this.#node?.range?.[0];
    const { file, lines } = this.#source;
    return configError(`${this.name} must be ${expected}`, {
      at: { file, ...(offset === undefined ? {} : { line: lines.linePos(offset).line }) },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** The values of a map with no other keys than these; an empty document is an empty map. */
  fields<K extends string>(keys: readonly K[]): { readonly [key in K]?: YamlValue } {
    const node = this.#node;
    if (node === null || (isScalar(node) && node.value === null)) {
      return {};
    }
    if (!isMap(node)) {
      throw this.wrong(`a map with ${keys.join(', ')}`);
    }
    const found: { [key in K]?: YamlValue } = {};
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '?';
      const child = new YamlValue(this.#child(name), value as Node | null, this.#source);
      if (!keys.includes(name as K)) {
        const at = new YamlValue(child.name, key as Node, this.#source);
        throw at.wrong('left out: it is not known', `Known here: ${keys.join(', ')}`);
      }
      found[name as K] = child;
    }
    return found;
  }

  /** The values of a list. */
  items(): readonly [YamlValue, ...YamlValue[]] {
    const node = this.#node;
    if (!isSeq(node) || node.items.length === 0) {
      throw this.wrong('a list that is not empty');
    }
    return node.items.map(
      (item, index) => new YamlValue(`${this.name}[${index}]`, item as Node, this.#source),
    ) as [YamlValue, ...YamlValue[]];
  }

  get isText(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === 'string';
  }

  /** A text, or a number as it is written (versions look like numbers), that matches. */
  text(pattern: RegExp, expected: string): string {
    const node = this.#node;
    const value = isScalar(node) ? (node.source ?? node.value) : undefined;
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw this.wrong(expected);
    }
    return value;
  }

  integer(min: number, max: number): number {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.wrong(`a whole number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(): boolean {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value !== 'boolean') {
      throw this.wrong('true or false');
    }
    return value;
  }

  #child(key: string): string {
    return this.name === 'the configuration' ? key : `${this.name}.${key}`;
  }
}
