/**
 * Image files, the input of `diskimage-builder`: lists of images, of which entries with one name are
 * one image. Source: dib-contract, 1.2.
 */
import path from 'node:path';
import { configError, type Place } from '../events/failure.ts';
import { closestNames } from './closest.ts';
import {
  argumentsOf,
  PROPERTIES,
  type Properties,
  type PropertyRow,
  type PropertyValue,
} from './image-properties.ts';
import { type Entry, type Located, parseLocated } from './located-yaml.ts';
import type { ImageCommand } from './options.ts';
import { Problems } from './problems.ts';

/** One image to build, as a command line. */
export interface ImageJob {
  readonly name: string;
  readonly command: ImageCommand;
  /** The command's arguments. */
  readonly argv: readonly string[];
  /** Added to our own environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface ImageFile {
  readonly file: string;
  readonly text: string;
}

/** The name of an image that nobody named. */
const DEFAULT_NAME = 'image';

/**
 * The images of some files, in the order in which they first appear.
 *
 * @throws Failed `config` with every problem of a file, each with its line and key.
 */
export function readImageFiles(files: readonly ImageFile[]): readonly ImageJob[] {
  const images = new Map<string, Map<string, PropertyValue>>();
  let name = DEFAULT_NAME;
  for (const { file, text } of files) {
    const problems = new Problems();
    const top = parseLocated(text, file, problems);
    problems.throwIfAny();
    const entries = readEntries(top, { file, problems });
    problems.throwIfAny();
    for (const entry of entries) {
      name = String(entry.get('imagename') ?? name);
      const image = images.get(name);
      if (image === undefined) {
        images.set(name, new Map(entry));
      } else {
        mergeInto(image, entry);
      }
    }
  }
  assertOwnFiles([...images.keys()]);
  return [...images].map(([each, properties]) => jobOf(each, properties));
}

/** @throws Failed `config` for images of different names that are one file. */
function assertOwnFiles(names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const file = path.posix.normalize(name);
    const other = seen.get(file);
    if (other !== undefined) {
      throw configError(`Images '${other}' and '${name}' would be written to the same files`, {
        hint: 'Give one of them another imagename; entries of one image have it letter by letter',
      });
    }
    seen.set(file, name);
  }
}

/** Lists grow, maps are brought up to date key by key, whatever else is replaced. */
function mergeInto(image: Map<string, PropertyValue>, entry: Properties): void {
  for (const [key, value] of entry) {
    image.set(key, merged(image.get(key), value));
  }
}

function merged(before: PropertyValue | undefined, value: PropertyValue): PropertyValue {
  if (Array.isArray(value)) {
    return [...((before ?? []) as readonly string[]), ...value];
  }
  return typeof value === 'object' ? { ...(before as object | undefined), ...value } : value;
}

function jobOf(name: string, properties: Properties): ImageJob {
  return {
    name,
    command: properties.get('ramdisk') === true ? 'ramdisk-image-create' : 'disk-image-create',
    argv: argumentsOf(properties),
    environment: (properties.get('environment') ?? {}) as Readonly<Record<string, string>>,
  };
}

interface Reading {
  readonly file: string;
  readonly problems: Problems;
}

function readEntries(top: Located | undefined, { file, problems }: Reading): readonly Properties[] {
  if (top === undefined) {
    problems.add('There is no image in this file', { file }, EXAMPLE);
    return [];
  }
  if (top.kind !== 'list') {
    problems.add('An image file must be a list of images', top.at, EXAMPLE);
    return [];
  }
  if (top.items.length === 0) {
    problems.add('There is no image in this file', top.at, EXAMPLE);
  }
  return top.items.map((item) => readEntry(item, problems));
}

const EXAMPLE = 'For example:\n  - imagename: web\n    elements: [vm, debian-minimal]';

function readEntry(item: Located, problems: Problems): Properties {
  if (item.kind !== 'map') {
    problems.add('An image must be a map of properties', item.at, EXAMPLE);
    return new Map();
  }
  const properties = new Map<string, PropertyValue>();
  for (const [key, entry] of item.entries) {
    const row = PROPERTIES.find((one) => one.key === key);
    if (row === undefined) {
      problems.add(`Unknown property '${key}'${suggestion(key)}`, entry.at);
    } else {
      const value = readValue(row, entry, problems);
      if (value !== undefined) {
        properties.set(key, value);
      }
    }
  }
  return properties;
}

function suggestion(key: string): string {
  const [near] = closestNames(
    key,
    PROPERTIES.map((row) => row.key),
  );
  return near === undefined ? '' : `: did you mean '${near}'?`;
}

function readValue(row: PropertyRow, entry: Entry, problems: Problems): PropertyValue | undefined {
  const { at, value } = entry;
  const wanted = (what: string, place: Place): undefined => {
    problems.add(`Property '${row.key}' must be ${what}`, place);
  };
  if (value === undefined) {
    return wanted(`${KINDS[row.kind]}, and has no value`, at);
  }
  if (row.kind === 'list') {
    return value.kind === 'list' ? readItems(row, value.items, problems) : wanted('a list', at);
  }
  if (row.kind === 'map') {
    return value.kind === 'map' ? readMap(row, value.entries, problems) : wanted('a map', at);
  }
  if (value.kind !== 'text') {
    return wanted(`${KINDS[row.kind]}, not a ${value.kind}`, at);
  }
  return readScalar(row, value, problems);
}

const KINDS = {
  text: 'a text',
  number: 'a number',
  integer: 'a whole number',
  flag: 'true or false',
  list: 'a list',
  map: 'a map',
} as const;

type Text = Extract<Located, { kind: 'text' }>;

function readScalar(
  row: PropertyRow,
  { at, text }: Text,
  problems: Problems,
): PropertyValue | undefined {
  switch (row.kind) {
    case 'flag': {
      const flag = FLAGS.get(text.toLowerCase());
      if (flag === undefined) {
        problems.add(`Property '${row.key}' must be true or false: '${text}'`, at);
      }
      return flag;
    }
    case 'integer':
    case 'number':
      return readNumber(row, { at, text }, problems);
    default:
      return isAllowed(row, { at, text }, problems) ? text : undefined;
  }
}

/** YAML 1.1, which upstream reads, has more words for them than 1.2. */
const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', 'y'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', 'n'].map((word) => [word, false] as const),
]);

function readNumber(
  row: PropertyRow,
  { at, text }: Pick<Text, 'at' | 'text'>,
  problems: Problems,
): number | undefined {
  const { min, max } = row.range ?? {
    min: row.kind === 'integer' ? 1 : Number.MIN_VALUE,
    max: Number.POSITIVE_INFINITY,
  };
  const value = /^\+?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const fits = value >= min && value <= max && (row.kind === 'number' || Number.isInteger(value));
  if (!fits) {
    const bounds = max < Number.POSITIVE_INFINITY ? `from ${min} to ${max}` : 'above 0';
    problems.add(`Property '${row.key}' must be ${KINDS[row.kind]} ${bounds}: '${text}'`, at);
  }
  return fits ? value : undefined;
}

function isAllowed(
  { key, allowed }: PropertyRow,
  { at, text }: Pick<Text, 'at' | 'text'>,
  problems: Problems,
): boolean {
  if (allowed === undefined || allowed.includes(text)) {
    return true;
  }
  problems.add(`Property '${key}' does not know '${text}': one of ${allowed.join(', ')}`, at);
  return false;
}

function readItems(
  row: PropertyRow,
  items: readonly Located[],
  problems: Problems,
): readonly string[] {
  return items.flatMap((item) => {
    if (item.kind !== 'text') {
      problems.add(`Property '${row.key}' must be a list of texts, not of ${item.kind}s`, item.at);
      return [];
    }
    return isAllowed(row, item, problems) ? [item.text] : [];
  });
}

function readMap(
  row: PropertyRow,
  entries: ReadonlyMap<string, Entry>,
  problems: Problems,
): Readonly<Record<string, string>> {
  const read: [string, string][] = [];
  for (const [name, { at, value }] of entries) {
    if (value !== undefined && value.kind !== 'text') {
      problems.add(`'${name}' in '${row.key}' must be a text, not a ${value.kind}`, at);
    } else if (row.key === 'environment' && !/^[A-Za-z_]\w*$/.test(name)) {
      problems.add(`'${name}' in 'environment' is no name of a variable`, at);
    } else {
      read.push([name, value?.text ?? '']);
    }
  }
  return Object.fromEntries(read);
}
