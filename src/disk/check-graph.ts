/**
 * What must hold in a graph beyond its order: each node lies on the right kind of node, nothing
 * carries two things, labels and mount points are usable and unique, and there is one root.
 */
import type { Problems } from '../plan/problems.ts';
import type { ConfigNode, GraphNode } from './config.ts';
import { FILE_SYSTEM_TYPES, type FileSystemSpec, fileSystemType } from './file-systems.ts';

export interface GraphParts {
  readonly nodes: readonly ConfigNode[];
  readonly all: readonly GraphNode[];
  readonly fileSystems: readonly FileSystemSpec[];
  readonly problems: Problems;
}

/** Adds everything that is wrong to `problems`. */
export function checkFileSystems(parts: GraphParts): void {
  checkBases(parts);
  // A node that lies on the wrong thing leaves another without what should lie on it.
  if (parts.problems.found.length === 0) {
    checkCarriers(parts);
  }
  checkVolumeNames(parts);
  for (const spec of parts.fileSystems) {
    checkType(spec, parts.problems);
  }
  checkLabels(parts);
  checkMountPoints(parts);
}

/** What each kind of node may lie on. */
const BASES: Readonly<Partial<Record<ConfigNode['kind'] | 'pv' | 'vg' | 'lv', readonly string[]>>> =
  {
    partitioning: ['local_loop'],
    pv: ['partition', 'local_loop'],
    vg: ['pv'],
    lv: ['vg'],
    mkfs: ['local_loop', 'partition', 'lv'],
    mount: ['mkfs'],
    fstab: ['mount'],
  };

function checkBases({ nodes, all, problems }: GraphParts): void {
  const kinds = new Map(all.map((node) => [node.name, node.kind]));
  const volumes = nodes.flatMap((node) => (node.kind === 'lvm' ? node.volumes : []));
  for (const node of [...nodes, ...volumes]) {
    for (const base of basesOf(node)) {
      const kind = kinds.get(base);
      const allowed = BASES[node.kind];
      if (kind !== undefined && allowed !== undefined && !allowed.includes(kind)) {
        problems.add(
          `${node.kind} "${node.name}" cannot lie on ${kind} "${base}", only on ${allowed.join(' or ')}`,
          node.at,
        );
      }
    }
  }
}

/** An image, a partition, a volume or a file system carries one thing; a mount one fstab line. */
function checkCarriers({ nodes, problems }: GraphParts): void {
  const carried = new Map<string, string>();
  const volumes = nodes.flatMap((node) => (node.kind === 'lvm' ? node.volumes : []));
  for (const node of [...nodes, ...volumes.filter(({ kind }) => kind !== 'lv')]) {
    for (const base of basesOf(node)) {
      const other = carried.get(base);
      if (other !== undefined) {
        problems.add(`"${base}" cannot carry both "${other}" and "${node.name}"`, node.at);
      }
      carried.set(base, node.name);
    }
  }
  for (const volume of volumes.filter(({ kind, name }) => kind === 'pv' && !carried.has(name))) {
    problems.add(`pv "${volume.name}" is in no volume group`, volume.at);
  }
}

function basesOf(node: ConfigNode | GraphNode): readonly string[] {
  return 'base' in node ? [node.base] : 'bases' in node ? node.bases : [];
}

/** Source: lvm(8), "Valid names". */
const VOLUME_NAME = /^(?!\.{1,2}$)[\w+.][\w+.-]{0,126}$/;
const RESERVED =
  /^(?:snapshot|pvmove)|_(?:cdata|cmeta|corig|cpool|cvol|iorig|imeta|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta|vdata|vorigin|wcorig)/;

function checkVolumeNames({ all, problems }: GraphParts): void {
  for (const { kind, name, at } of all) {
    const isLogical = kind === 'lv';
    if ((isLogical || kind === 'vg') && !VOLUME_NAME.test(name)) {
      problems.add(`LVM takes no "name" such as "${name}": letters, digits and +_.- only`, at);
    } else if (isLogical && RESERVED.test(name)) {
      problems.add(`LVM keeps names such as "${name}" for itself: give the lv another "name"`, at);
    }
  }
}

function checkType(spec: FileSystemSpec, problems: Problems): void {
  if (spec.type !== '' && fileSystemType(spec.type) === undefined) {
    const known = Object.keys(FILE_SYSTEM_TYPES).join(', ');
    problems.add(
      `Unknown file system type "${spec.type}" of "${spec.name}"`,
      spec.at,
      `The types are ${known}`,
    );
  }
  if (spec.isRoot && ['swap', 'vfat', 'fat'].includes(spec.type)) {
    problems.add(`The root file system "${spec.name}" cannot be "${spec.type}"`, spec.at);
  }
}

/** What neither a label on disk nor `LABEL=` in fstab can carry. */
const BAD_LABEL = /[\p{Cc}"\\]/u;

function checkLabels({ fileSystems, problems }: GraphParts): void {
  const seen = new Map<string, string>();
  for (const { name, label, type, at } of fileSystems) {
    const longest = fileSystemType(type)?.longestLabel ?? Number.POSITIVE_INFINITY;
    const length = Buffer.byteLength(label);
    if (length > longest) {
      problems.add(
        `Label "${label}" of "${name}" is too long: ${length} bytes, ${type} takes ${longest}`,
        at,
      );
    }
    if (label === '' || BAD_LABEL.test(label)) {
      problems.add(`Label "${label}" of "${name}" is empty or has an unusable character`, at);
    }
    const other = seen.get(label);
    if (other !== undefined) {
      problems.add(`Label "${label}" is used by both "${other}" and "${name}"`, at);
    }
    seen.set(label, name);
  }
}

function checkMountPoints({ all, fileSystems, problems }: GraphParts): void {
  const swaps = new Set(fileSystems.filter(({ type }) => type === 'swap').map(({ name }) => name));
  const seen = new Map<string, string>();
  for (const node of all) {
    if (node.kind !== 'mount' || swaps.has(node.base)) {
      continue;
    }
    const parts = node.mountPoint.split('/').slice(1);
    const clean = parts.every((part) => part !== '' && part !== '.' && part !== '..');
    if (!node.mountPoint.startsWith('/') || (node.mountPoint !== '/' && !clean)) {
      problems.add(
        `Mount point "${node.mountPoint}" of "${node.name}" is no absolute path`,
        node.at,
      );
    }
    const other = seen.get(node.mountPoint);
    if (other !== undefined) {
      problems.add(
        `Mount point "${node.mountPoint}" is used by both "${other}" and "${node.name}"`,
        node.at,
      );
    }
    seen.set(node.mountPoint, node.name);
  }
  if (!seen.has('/')) {
    const [first] = all;
    problems.add('No file system is mounted at "/"', first && { file: first.at.file });
  }
}
