/**
 * The keys of `lvm` and of the volumes in it.
 *
 * Compat: keys, and what `options` are for: words for pvcreate, vgcreate and lvcreate. The volumes are
 * written without these programs, so each word is one that is understood, or one that says nothing
 * about the result, or an error. Source: dib-contract, "Modules"; lvcreate(8), vgcreate(8).
 */
import type { Located } from '../plan/located-yaml.ts';
import type {
  LogicalVolumeNode,
  LvmNode,
  PhysicalVolumeNode,
  VolumeGroupNode,
  VolumeNode,
  VolumeSize,
} from './config.ts';
import { common, type Fields, itemFields } from './fields.ts';
import { KIB, MIB, parseSizeBytes } from './sizes.ts';

type VolumeReader = (fields: Fields) => VolumeNode | undefined;

const READERS: Readonly<Record<VolumeNode['kind'], VolumeReader>> = {
  pv: readPhysicalVolume,
  vg: readVolumeGroup,
  lv: readLogicalVolume,
};

export function readLvm(fields: Fields): LvmNode | undefined {
  const named = fields.requireName();
  const volumes = (['pv', 'vg', 'lv'] as const).flatMap((kind) =>
    fields.requiredList(`${kind}s`).map((item) => readVolume(item, kind, fields)),
  );
  return named
    ? {
        kind: 'lvm',
        ...common(fields),
        volumes: volumes.filter((volume) => volume !== undefined),
      }
    : undefined;
}

function readVolume(item: Located, kind: VolumeNode['kind'], lvm: Fields): VolumeNode | undefined {
  const fields = itemFields(item, kind, lvm);
  return fields?.requireName() === true ? READERS[kind](fields) : undefined;
}

function readPhysicalVolume(fields: Fields): PhysicalVolumeNode | undefined {
  readOptions(fields, []);
  const base = fields.required('base');
  return base === undefined ? undefined : { kind: 'pv', ...common(fields), bases: [base] };
}

/** Source: lvm.conf(5) and vgcreate(8), `--physicalextentsize`. */
const EXTENT_BYTES = 4 * MIB;
const EXTENT_GRAIN_BYTES = 128 * KIB;

function readVolumeGroup(fields: Fields): VolumeGroupNode {
  fields.requiredList('base');
  const found = readOptions(fields, ['--physicalextentsize', '--addtag']);
  const sizes = found.filter(({ name }) => name === '--physicalextentsize');
  const [extentBytes = EXTENT_BYTES] = sizes.map(({ value }) => parseLvmSize(value) ?? 0);
  if (extentBytes === 0 || extentBytes % EXTENT_GRAIN_BYTES !== 0) {
    const given = sizes.map(({ value }) => value).join(' ');
    fields.reject(
      'options',
      `Extent size of vg "${fields.source.name}" is "${given}", expected a multiple of 128k such as 4m`,
    );
  }
  return {
    kind: 'vg',
    ...common(fields),
    bases: fields.texts('base'),
    extentBytes,
    tags: tagsOf(found, fields),
  };
}

function readLogicalVolume(fields: Fields): LogicalVolumeNode | undefined {
  const base = fields.required('base');
  const found = readOptions(fields, ['--addtag']);
  const type = fields.parsed('type', parseLinear, '"linear": thin volumes cannot be written');
  const bytes = fields.parsed(
    'size',
    parseSizeBytes,
    'a size such as "10GiB"; a share goes into "extents", such as 50%VG',
  );
  const share = fields.parsed(
    'extents',
    parseExtents,
    'a number of extents or a whole share such as 50%VG or 100%FREE',
  );
  fields.optional('thin-pool');
  const { entries } = fields.source;
  if (!entries.has('size') && !entries.has('extents')) {
    fields.reject('size', `Key "size" or "extents" is missing in lv "${fields.source.name}"`);
  }
  const size: VolumeSize | undefined = bytes === undefined ? share : { kind: 'bytes', bytes };
  if (base === undefined || size === undefined || (entries.has('type') && type === undefined)) {
    return undefined;
  }
  return { kind: 'lv', ...common(fields), bases: [base], size, tags: tagsOf(found, fields) };
}

/** Thin volumes have a tree of blocks that only the kernel and its tools write. */
function parseLinear(text: string): 'linear' | undefined {
  return text === 'linear' || text === 'striped' ? 'linear' : undefined;
}

/** Compat: `lvcreate --extents`, whose shares are whole numbers. Source: lvcreate(8). */
function parseExtents(text: string): VolumeSize | undefined {
  const match = /^(\d+)(?:%(VG|FREE|PVS))?$/.exec(text);
  const number = Number(match?.[1] ?? 0);
  if (match === null || number === 0) {
    return undefined;
  }
  const of = match[2];
  if (of === undefined) {
    return { kind: 'extents', extents: number };
  }
  return number > 100
    ? undefined
    : { kind: 'percent', percent: number, of: of === 'FREE' ? 'free' : 'all' };
}

interface Option {
  readonly name: string;
  readonly value: string;
}

interface OptionRow {
  readonly short?: string;
  readonly takesValue: boolean;
  /** Says how the programs work, not what they leave on the disk. */
  readonly idle?: true;
}

const OPTIONS: Readonly<Record<string, OptionRow>> = {
  '--force': { short: '-f', takesValue: false, idle: true },
  '--yes': { short: '-y', takesValue: false, idle: true },
  '--quiet': { short: '-q', takesValue: false, idle: true },
  '--verbose': { short: '-v', takesValue: false, idle: true },
  '--zero': { short: '-Z', takesValue: true, idle: true },
  '--wipesignatures': { short: '-W', takesValue: true, idle: true },
  '--autobackup': { short: '-A', takesValue: true, idle: true },
  '--activate': { short: '-a', takesValue: true, idle: true },
  '--physicalextentsize': { short: '-s', takesValue: true },
  '--addtag': { takesValue: true },
};

/** The options that count; a problem for each that is not among `understood`. */
function readOptions(fields: Fields, understood: readonly string[]): Option[] {
  const words = fields.texts('options').flatMap((text) => text.split(/\s+/));
  const found: Option[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [name, row, attached] = rowOf(word);
    if (row === undefined || !(row.idle || understood.includes(name))) {
      const what = `${fields.source.plugin} "${fields.source.name}"`;
      fields.reject('options', `Option "${word}" of ${what} cannot be honoured: remove it`);
      continue;
    }
    at += row.takesValue && attached === undefined ? 1 : 0;
    if (!row.idle) {
      found.push({ name, value: attached ?? words[at] ?? '' });
    }
  }
  return found;
}

/** A word as a long name, its row, and the value that is attached to it. */
function rowOf(word: string): [string, OptionRow | undefined, string | undefined] {
  const long = /^(--[a-z]+)(?:=(.*))?$/.exec(word);
  if (long !== null) {
    const name = long[1] ?? '';
    return [name, Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined, long[2]];
  }
  const short = /^(-[A-Za-z])(.*)$/.exec(word);
  const [name, row] = Object.entries(OPTIONS).find(([, one]) => one.short === short?.[1]) ?? [];
  const attached = short?.[2] === '' || row?.takesValue !== true ? undefined : short?.[2];
  return [name ?? word, row, attached];
}

/** Source: lvm(8), "Size": case does not count, MiB where there is no unit. */
function parseLvmSize(text: string): number | undefined {
  const match = /^(\d+)([kmg]?)$/i.exec(text);
  const factor = { k: KIB, m: MIB, '': MIB, g: 1024 * MIB }[match?.[2]?.toLowerCase() ?? '?'];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

/** Source: lvm(8), "Valid tag names". */
function tagsOf(options: readonly Option[], fields: Fields): string[] {
  const tags = options.filter(({ name }) => name === '--addtag').map(({ value }) => value);
  for (const tag of tags.filter((one) => !/^[\w+./=!:&#-]{1,1024}$/.test(one))) {
    fields.reject('options', `Tag "${tag}" of "${fields.source.name}" has an unusable character`);
  }
  return tags;
}
