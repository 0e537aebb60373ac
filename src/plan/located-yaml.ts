/**
 * YAML as a tree in which every value knows its place, so that later checks can point at it.
 *
 * Scalars stay the text that was written: `0x83`, `0700` and `8300` mean what the reader of a key
 * says, not what YAML's number rules say.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';
import type { Place } from '../events/failure.ts';
import type { Problems } from './problems.ts';

export type Located =
  | { readonly kind: 'text'; readonly at: Place; readonly text: string }
  | { readonly kind: 'list'; readonly at: Place; readonly items: readonly Located[] }
  | { readonly kind: 'map'; readonly at: Place; readonly entries: ReadonlyMap<string, Entry> };

export interface Entry {
  /** Of the key. */
  readonly at: Place;
  /** Absent for a key without a value. */
  readonly value?: Located;
}

/** The tree of `text`; undefined when it is empty or broken, and then `problems` says why. */
export function parseLocated(text: string, file: string, problems: Problems): Located | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  // Those that follow are mostly about what the first ones have left.
  for (const error of document.errors.slice(0, MOST_ERRORS)) {
    problems.add(`Cannot parse YAML: ${reasonOf(error)}`, place(error.pos[0]));
  }
  if (document.errors.length > 0) {
    return undefined;
  }
  const reader = { document, place, problems, values: 0 };
  const tree = locate(document.contents, reader);
  return reader.values > MAX_VALUES ? undefined : tree;
}

const MOST_ERRORS = 3;

/** The parser's words, but for those that are about itself. */
function reasonOf({ code, message }: YAMLParseError): string {
  if (code === 'MULTIPLE_DOCS') {
    return 'there is more than one document in it';
  }
  return message.includes('call stack') ? 'lists and maps are nested too deeply' : message;
}

/** Aliases of aliases make much of little. No file that a person writes has so many. */
const MAX_VALUES = 100_000;

interface Reader {
  readonly document: Document;
  readonly place: (offset: number) => Place;
  readonly problems: Problems;
  /** How many there are so far, with those that aliases stand for. */
  values: number;
}

function locate(node: unknown, reader: Reader): Located | undefined {
  reader.values += 1;
  if (reader.values > MAX_VALUES) {
    if (reader.values === MAX_VALUES + 1) {
      reader.problems.add(`The file expands to more than ${MAX_VALUES} values`, reader.place(0));
    }
    return undefined;
  }
  if (isAlias(node)) {
    return locateAlias(node, reader);
  }
  if (isScalar(node)) {
    const text = node.type === 'PLAIN' ? (node.source ?? '') : String(node.value);
    const absent = node.value === null && node.type === 'PLAIN';
    return absent ? undefined : { kind: 'text', at: placeOf(node, reader), text };
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => locate(item, reader));
    const kept = items.filter((item) => item !== undefined);
    return { kind: 'list', at: placeOf(node, reader), items: kept };
  }
  return isMap(node) ? locateMap(node, reader) : undefined;
}

function locateAlias(node: Alias, reader: Reader): Located | undefined {
  const target = node.resolve(reader.document);
  if (target === undefined) {
    reader.problems.add(`Alias "*${node.source}" has no anchor`, placeOf(node, reader));
    return undefined;
  }
  // An alias inside the range of its own anchor is a loop.
  if ((target.range?.[2] ?? 0) > (node.range?.[0] ?? 0)) {
    reader.problems.add(`Alias "*${node.source}" contains itself`, placeOf(node, reader));
    return undefined;
  }
  return locate(target, reader);
}

function locateMap(node: YAMLMap, reader: Reader): Located {
  const own = new Map<string, Entry>();
  const merged = new Map<string, Entry>();
  for (const pair of node.items) {
    const key = locate(pair.key, reader);
    const value = locate(pair.value, reader);
    if (key?.kind !== 'text') {
      reader.problems.add('A key must be a plain word', placeOf(node, reader));
    } else if (key.text === '<<') {
      merge(merged, value);
    } else {
      own.set(key.text, { at: key.at, ...(value === undefined ? {} : { value }) });
    }
  }
  return { kind: 'map', at: placeOf(node, reader), entries: new Map([...merged, ...own]) };
}

/** YAML's merge key: a map or a list of maps, of which earlier ones win. */
function merge(into: Map<string, Entry>, value: Located | undefined): void {
  for (const source of value?.kind === 'list' ? value.items : [value]) {
    for (const [name, entry] of source?.kind === 'map' ? source.entries : []) {
      into.set(name, into.get(name) ?? entry);
    }
  }
}

function placeOf(node: Node, reader: Reader): Place {
  return reader.place(node.range?.[0] ?? 0);
}
