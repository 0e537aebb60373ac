/**
 * What hooks may know about the disk before it exists.
 */
import type { Identifiers } from '../plan/identifiers.ts';
import type { TableLabel } from './config.ts';
import { carriersOf, type DiskGraph } from './graph.ts';
import { fileSystemUuid } from './identifiers.ts';

export interface DiskDescription {
  readonly rootLabel: string;
  readonly rootFsType: string;
  /** Empty when there is no file system at `/boot`. */
  readonly bootLabel: string;
  /** In the order of the configuration. */
  readonly mountPoints: readonly string[];
  /** Of the disk that holds the root file system. */
  readonly diskLabel: TableLabel | 'none';
}

/** The description of a graph. Compat. Source: dib-contract, "getval". */
export function describeDisk(graph: DiskGraph): DiskDescription {
  const { root } = graph;
  const below = carriersOf(graph, root.base);
  const table = graph.tables.find((one) => one.partitions.some(({ name }) => below.includes(name)));
  return {
    rootLabel: root.label,
    rootFsType: root.type,
    bootLabel: bootOf(graph)?.label ?? '',
    mountPoints: graph.mountPoints,
    diskLabel: table?.label ?? 'none',
  };
}

/** The UUIDs of the root file system and of the one at `/boot`, empty where there is none. */
export interface DiskUuids {
  readonly rootUuid: string;
  readonly bootUuid: string;
}

/** Known once the root phases are done: identifiers depend on what these were given. */
export function diskUuids(graph: DiskGraph, identifiers: Identifiers): DiskUuids {
  const boot = bootOf(graph);
  return {
    rootUuid: fileSystemUuid(graph.root, identifiers),
    bootUuid: boot === undefined ? '' : fileSystemUuid(boot, identifiers),
  };
}

function bootOf(graph: DiskGraph): DiskGraph['root'] | undefined {
  return graph.fileSystems.find((spec) => spec.mountPoint === '/boot');
}
