/**
 * What each plugin's keys are: one reader for each plugin. A reader returns undefined when the
 * node is unusable; the reason is then among the problems.
 */
import type { Located } from '../plan/located-yaml.ts';
import type { ConfigNode, PartitionFlag, PartitionNode, PluginName, TableLabel } from './config.ts';
import { common, type Fields, given, itemFields } from './fields.ts';
import { MIB, parsePortion, parseSizeBytes, splitOptions } from './sizes.ts';
import { readLvm } from './volume-readers.ts';

type Reader = (fields: Fields) => ConfigNode | undefined;

/** Keys and defaults are compat. Source: dib-contract, "Modules". */
export const NODE_READERS: Readonly<Record<PluginName, Reader>> = {
  local_loop: (fields) => {
    const named = fields.requireName();
    // Compat: its file is called so.
    if (named && !/^[\w+.-]+$/.test(fields.source.name)) {
      fields.reject('name', `"name" of local_loop takes letters, digits and +_.- only`);
    }
    const sizeBytes = fields.parsed('size', parseSizeBytes, A_SIZE);
    const sectorBytes = fields.parsed('block_size', parseSectorBytes, '512, 1024, 2048 or 4096');
    const directory = fields.optional('directory');
    return named
      ? {
          kind: 'local_loop',
          ...common(fields),
          ...given({ sizeBytes, sectorBytes, directory }),
        }
      : undefined;
  },
  partitioning: readTable,
  lvm: readLvm,
  mkfs: (fields) => {
    const base = fields.base();
    const options = fields.optional('opts');
    const rest = given({
      type: fields.optional('type'),
      label: fields.optional('label'),
      options: options === undefined ? undefined : splitOptions(options),
      uuid: fields.parsed('uuid', parseUuid, 'a UUID'),
    });
    return base === undefined ? undefined : { kind: 'mkfs', ...common(fields), base, ...rest };
  },
  mount: (fields) => {
    const base = fields.base();
    const mountPoint = fields.required('mount_point');
    return base === undefined || mountPoint === undefined
      ? undefined
      : { kind: 'mount', ...common(fields), base, mountPoint: trimmed(mountPoint) };
  },
  fstab: (fields) => {
    const base = fields.base();
    const options = fields.optional('options') ?? 'defaults';
    const dumpFreq = fields.parsed('dump-freq', parseCount, 'a number') ?? 0;
    const fsckPassno = fields.parsed('fsck-passno', parseCount, 'a number') ?? 2;
    return base === undefined
      ? undefined
      : { kind: 'fstab', ...common(fields), base, options, dumpFreq, fsckPassno };
  },
};

const A_SIZE = 'a size such as "10GiB"';

function readTable(fields: Fields): ConfigNode | undefined {
  const base = fields.base();
  fields.required('label');
  const label = fields.parsed('label', parseTableLabel, '"mbr" or "gpt"');
  const alignBytes = fields.parsed('align', parseSizeBytes, A_SIZE) ?? MIB;
  const items = fields.requiredList('partitions');
  const partitions = items.map((item) => readPartition(item, base ?? '', fields));
  if (base === undefined || label === undefined || partitions.includes(undefined)) {
    return undefined;
  }
  return {
    kind: 'partitioning',
    ...common(fields),
    base,
    label,
    alignBytes,
    partitions: partitions.filter((partition) => partition !== undefined),
  };
}

function readPartition(item: Located, base: string, table: Fields): PartitionNode | undefined {
  const fields = itemFields(item, 'partition', table);
  if (fields === undefined) {
    return undefined;
  }
  const named = fields.requireName();
  fields.required('size');
  const size = fields.parsed('size', parsePortion, 'a size such as "10GiB" or "100%"');
  const type = fields.optional('type');
  const flags = fields.list('flags').map((flag) => {
    if (flag.kind === 'text' && (flag.text === 'boot' || flag.text === 'primary')) {
      return flag.text satisfies PartitionFlag;
    }
    const found = flag.kind === 'text' ? `"${flag.text}"` : `a ${flag.kind}`;
    fields.reject(
      'flags',
      `Flag of partition "${fields.source.name}" is ${found}, expected "boot" or "primary"`,
    );
    return undefined;
  });
  if (!named || size === undefined) {
    return undefined;
  }
  return {
    kind: 'partition',
    ...common(fields),
    base,
    size,
    flags: flags.filter((flag) => flag !== undefined),
    ...given({ type }),
  };
}

function parseTableLabel(text: string): TableLabel | undefined {
  return text === 'mbr' || text === 'gpt' ? text : undefined;
}

function parseSectorBytes(text: string): number | undefined {
  const bytes = Number(text);
  return [512, 1024, 2048, 4096].includes(bytes) ? bytes : undefined;
}

function parseCount(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function parseUuid(text: string): string | undefined {
  return /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)
    ? text.toLowerCase()
    : undefined;
}

/** A path without slashes at its end. */
function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
}
