/**
 * What hooks may know about the disk before it exists.
 */
import type { TableLabel } from './config.ts';
import type { DiskGraph } from './graph.ts';
import { fileSystemUuid, type Identifiers } from './identifiers.ts';

export interface DiskDescription {
  readonly rootLabel: string;
  readonly rootFsType: string;
  readonly rootUuid: string;
  /** Empty when there is no file system at `/boot`. */
  readonly bootLabel: string;
  readonly bootUuid: string;
  /** In the order of the configuration. */
  readonly mountPoints: readonly string[];
  /** Of the disk that holds the root file system. */
  readonly diskLabel: TableLabel | 'none';
}

/** The description of a graph. Compat. Source: dib-contract, "getval". */
export function describeDisk(graph: DiskGraph, identifiers: Identifiers): DiskDescription {
  const { root } = graph;
  const boot = graph.fileSystems.find((spec) => spec.mountPoint === '/boot');
  const table = graph.tables.find((one) => one.partitions.some(({ name }) => name === root.base));
  return {
    rootLabel: root.label,
    rootFsType: root.type,
    rootUuid: fileSystemUuid(root, identifiers),
    bootLabel: boot?.label ?? '',
    bootUuid: boot === undefined ? '' : fileSystemUuid(boot, identifiers),
    mountPoints: graph.mountPoints,
    diskLabel: table?.label ?? 'none',
  };
}
