/**
 * The properties of an image in an image file, one row each, in the order of the command line that
 * they become. Source of names, types and order: dib-contract, 1.2.
 */
import { FORMATS } from './formats.ts';

/** A property's value after reading; its row says which of these it is. */
export type PropertyValue =
  | string
  | number
  | boolean
  | readonly string[]
  | Readonly<Record<string, string>>;

export interface PropertyRow {
  readonly key: string;
  readonly kind: 'text' | 'number' | 'integer' | 'flag' | 'list' | 'map';
  /** Of a text, or of the items of a list. */
  readonly allowed?: readonly string[];
  /** Of a number. Default: 1, and no upper bound. */
  readonly range?: { readonly min: number; readonly max: number };
  /** How it stands on the command line; absent: it does not. */
  readonly argument?: string | 'positional';
}

const ARCHITECTURES = [
  ...['aarch64', 'amd64', 'arm64', 'armhf', 'powerpc', 'ppc64', 'ppc64el', 'ppc64le', 's390x'],
  'x86_64',
];

export const PROPERTIES: readonly PropertyRow[] = [
  { key: 'imagename', kind: 'text', argument: '-o' },
  { key: 'arch', kind: 'text', allowed: ARCHITECTURES, argument: '-a' },
  { key: 'types', kind: 'list', allowed: FORMATS.map(({ type }) => type), argument: '-t' },
  { key: 'environment', kind: 'map' },
  { key: 'ramdisk', kind: 'flag' },
  { key: 'debug-trace', kind: 'integer', range: { min: 0, max: 2 }, argument: '-x' },
  { key: 'uncompressed', kind: 'flag', argument: '-u' },
  { key: 'clear', kind: 'flag', argument: '-c' },
  { key: 'logfile', kind: 'text', argument: '--logfile' },
  { key: 'checksum', kind: 'flag', argument: '--checksum' },
  // Fractions, unlike upstream: its command line takes them too.
  { key: 'image-size', kind: 'number', argument: '--image-size' },
  { key: 'image-extra-size', kind: 'integer', argument: '--image-extra-size' },
  { key: 'image-cache', kind: 'text', argument: '--image-cache' },
  { key: 'max-online-resize', kind: 'integer', argument: '--max-online-resize' },
  { key: 'min-tmpfs', kind: 'integer', argument: '--min-tmpfs' },
  { key: 'mkfs-journal-size', kind: 'integer', argument: '--mkfs-journal-size' },
  { key: 'mkfs-options', kind: 'text', argument: '--mkfs-options' },
  { key: 'no-tmpfs', kind: 'flag', argument: '--no-tmpfs' },
  { key: 'offline', kind: 'flag', argument: '--offline' },
  { key: 'qemu-img-options', kind: 'map', argument: '--qemu-img-options' },
  { key: 'root-label', kind: 'text', argument: '--root-label' },
  { key: 'ramdisk-element', kind: 'text', argument: '--ramdisk-element' },
  { key: 'install-type', kind: 'text', allowed: ['source', 'package'], argument: '--install-type' },
  { key: 'docker-target', kind: 'text', argument: '--docker-target' },
  { key: 'packages', kind: 'list', argument: '-p' },
  { key: 'skip-base', kind: 'flag', argument: '-n' },
  { key: 'elements', kind: 'list', argument: 'positional' },
];

export type Properties = ReadonlyMap<string, PropertyValue>;

/** The words of a command line. What is empty, false or 0 gives none. */
export function argumentsOf(properties: Properties): readonly string[] {
  return PROPERTIES.flatMap((row) => {
    const value = properties.get(row.key);
    return row.argument === undefined || value === undefined ? [] : words(row.argument, value);
  });
}

function words(argument: string, value: PropertyValue): readonly string[] {
  if (argument === '-x') {
    return Array.from({ length: Number(value) }, () => argument);
  }
  if (value === true) {
    return [argument];
  }
  if (Array.isArray(value)) {
    const items = value as readonly string[];
    return argument === 'positional' ? items : flagWith(argument, items.join(','));
  }
  if (typeof value === 'object') {
    const pairs = Object.entries(value).map(([key, one]) => `${key}=${one}`);
    return flagWith(argument, pairs.join(','));
  }
  return value === false ? [] : flagWith(argument, String(value));
}

function flagWith(argument: string, text: string): readonly string[] {
  return text === '' ? [] : [argument, text];
}
