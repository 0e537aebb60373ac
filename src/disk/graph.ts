/**
 * Configuration nodes to one checked graph: what lies on what, and in which order it is made.
 *
 *     image ─▶ partition n ─▶ partition n+1        file system ─▶ mount ─▶ fstab line
 *       └───────────┴──────▶ file system             mount ─▶ next mount in mount point order
 *     partition ─▶ lvm ─▶ pv ─▶ vg ─▶ lv
 *
 * Compat: names, edges and the order of creation. Source: dib-contract, "Tree to graph". Unlike
 * upstream, the root file system is the one that is mounted at `/`, whatever its name.
 */
import { Problems } from '../plan/problems.ts';
import { BUILT_IN } from './built-in-config.ts';
import { checkFileSystems } from './check-graph.ts';
import type {
  ConfigNode,
  GraphNode,
  ImageNode,
  LvmNode,
  MkfsNode,
  MountNode,
  TableNode,
} from './config.ts';
import { type FileSystemSpec, fileSystemType } from './file-systems.ts';
import { parseConfig } from './parse-config.ts';
import { type Edge, sortGraph } from './sort-graph.ts';

export interface GraphParams {
  /** The label of a root file system that has none of its own. */
  readonly rootLabel?: string;
  /** The type of a root file system that has none of its own. */
  readonly rootFsType: string;
}

export interface DiskGraph {
  /** Names of all nodes, in the order of creation. */
  readonly order: readonly string[];
  readonly images: readonly ImageNode[];
  readonly tables: readonly TableNode[];
  readonly lvms: readonly LvmNode[];
  /** In the order of creation. */
  readonly fileSystems: readonly FileSystemSpec[];
  /** In the order of the configuration, swap left out. */
  readonly mountPoints: readonly string[];
  readonly root: FileSystemSpec;
}

/**
 * The graph of a configuration.
 *
 * @throws Failed `config` with every problem: duplicate names, undefined bases, cycles, no root,
 * duplicate or too long labels, duplicate mount points, unknown file system types.
 */
export function buildGraph(nodes: readonly ConfigNode[], params: GraphParams): DiskGraph {
  const problems = new Problems();
  const all = nodes.flatMap(graphNodes);
  const mounts = sortedMounts(all);
  const order = sortGraph(all, edgesOf(nodes, mounts), problems);
  problems.throwIfAny();
  const specs = all
    .filter((node) => node.kind === 'mkfs')
    .map((node) => specOf(node, { all, params, problems }));
  const fileSystems = order.flatMap((name) => specs.filter((spec) => spec.name === name));
  const root = fileSystems.find((spec) => spec.isRoot);
  checkFileSystems({ nodes, all, fileSystems, problems });
  problems.throwIfAny();
  if (root === undefined) {
    throw new Error('a graph without root passed its checks');
  }
  const mountPoints = all
    .filter((node) => node.kind === 'mount')
    .filter((mount) => fileSystems.some((spec) => spec.mountPoint === mount.mountPoint))
    .map((mount) => mount.mountPoint);
  return {
    order,
    images: nodes.filter((node) => node.kind === 'local_loop'),
    tables: nodes.filter((node) => node.kind === 'partitioning'),
    lvms: nodes.filter((node) => node.kind === 'lvm'),
    fileSystems,
    mountPoints,
    root,
  };
}

/** The graph of a configuration's text: `parseConfig`, then `buildGraph`; throws what they throw. */
export function parseDiskGraph(
  text: string,
  source: string,
  params: GraphParams,
): { readonly graph: DiskGraph; readonly warnings: readonly string[] } {
  const { nodes, warnings } =
    source === BUILT_IN.source && text === BUILT_IN.text
      ? { nodes: BUILT_IN.nodes, warnings: [] }
      : parseConfig(text, source);
  return { graph: buildGraph(nodes, params), warnings };
}

/** A node of volumes or below, and the names of all that it lies on: partitions, images. */
export function carriersOf(graph: Pick<DiskGraph, 'lvms'>, name: string): readonly string[] {
  const volumes = graph.lvms.flatMap((lvm) => lvm.volumes);
  const bases = volumes.find((volume) => volume.name === name)?.bases ?? [];
  return [name, ...bases.flatMap((base) => carriersOf(graph, base))];
}

/** The first file system that is filled through a mount, which takes root and a loop device. */
export function mountedFileSystem(graph: DiskGraph): FileSystemSpec | undefined {
  return graph.fileSystems.find((spec) => fileSystemType(spec.type)?.fill === 'mount');
}

function graphNodes(node: ConfigNode): GraphNode[] {
  switch (node.kind) {
    case 'partitioning':
      return [...node.partitions];
    case 'lvm':
      return [node, ...node.volumes];
    default:
      return [node];
  }
}

/** Compat: byte order of the mount points, so that parents come first. */
function sortedMounts(all: readonly GraphNode[]): MountNode[] {
  return all
    .filter((node) => node.kind === 'mount')
    .sort((a, b) => Buffer.compare(Buffer.from(a.mountPoint), Buffer.from(b.mountPoint)));
}

function edgesOf(nodes: readonly ConfigNode[], mounts: readonly MountNode[]): Edge[] {
  return nodes.flatMap((node) => edgesInto(node, { nodes, mounts }));
}

interface Others {
  readonly nodes: readonly ConfigNode[];
  readonly mounts: readonly MountNode[];
}

function edgesInto(node: ConfigNode, { nodes, mounts }: Others): Edge[] {
  switch (node.kind) {
    case 'local_loop':
      return [];
    case 'partitioning':
      return node.partitions.flatMap((partition, index) => {
        const previous = node.partitions[index - 1];
        const base = edge(node.base, partition);
        return previous === undefined ? [base] : [base, edge(previous.name, partition)];
      });
    case 'lvm':
      return lvmEdges(node, nodes);
    case 'mount': {
      const previous = mounts[mounts.indexOf(node) - 1];
      const base = edge(node.base, node);
      return previous === undefined ? [base] : [base, edge(previous.name, node)];
    }
    case 'mkfs':
    case 'fstab':
      return [edge(node.base, node)];
  }
}

function lvmEdges(lvm: LvmNode, nodes: readonly ConfigNode[]): Edge[] {
  const names = new Set(nodes.flatMap(graphNodes).map(({ name }) => name));
  return lvm.volumes.flatMap((volume) => {
    const bases = volume.bases.map((base) => edge(base, volume));
    if (volume.kind !== 'pv') {
      return bases;
    }
    // What a volume lies on and is not there is told once, of the volume.
    const known = volume.bases.filter((base) => names.has(base));
    return [...known.map((base) => edge(base, lvm)), edge(lvm.name, volume), ...bases];
  });
}

function edge(from: string, node: GraphNode): Edge {
  return { from, to: node.name, at: node.at };
}

interface SpecContext {
  readonly all: readonly GraphNode[];
  readonly params: GraphParams;
  readonly problems: Problems;
}

function specOf(node: MkfsNode, { all, params, problems }: SpecContext): FileSystemSpec {
  const mount = all.find((other) => other.kind === 'mount' && other.base === node.name);
  const point = mount?.kind === 'mount' ? mount.mountPoint : undefined;
  const fstab = all.find((other) => other.kind === 'fstab' && other.base === mount?.name);
  const isRoot = point === '/';
  // Compat: a node of this name gets the parameters even where it is not the root.
  const filled = isRoot || node.name === 'mkfs_root';
  const type = node.type ?? (filled ? params.rootFsType : undefined);
  if (type === undefined) {
    problems.add(`Key "type" is missing in mkfs "${node.name}"`, node.at);
  }
  const given = node.label ?? (filled ? rootLabel(type, params) : node.name);
  const label = fileSystemType(type ?? '')?.upperCaseLabel ? given.toUpperCase() : given;
  return {
    name: node.name,
    at: node.at,
    base: node.base,
    type: type ?? '',
    label,
    isRoot,
    ...(node.options === undefined ? {} : { options: node.options }),
    ...(node.uuid === undefined ? {} : { uuid: node.uuid }),
    ...(point === undefined || type === 'swap' ? {} : { mountPoint: point }),
    ...(fstab?.kind === 'fstab' ? { fstab } : {}),
  };
}

/** Compat. Source: dib-contract, "Tree to graph". */
function rootLabel(type: string | undefined, params: GraphParams): string {
  return params.rootLabel ?? (type === 'xfs' ? 'img-rootfs' : 'cloudimg-rootfs');
}
