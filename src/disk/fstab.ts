/**
 * The text of `/etc/fstab`.
 */
import type { FileSystemSpec } from './file-systems.ts';
import type { DiskGraph } from './graph.ts';

/**
 * One line for each mounted file system, and each swap, that has an fstab node, in mount order;
 * empty without any. Compat: it replaces what the tree has. Source: dib-contract, "Modules".
 */
export function fstabText(graph: DiskGraph): string {
  // The order of creation keeps mounts in the order of their mount points.
  const rank = new Map(graph.order.map((name, index) => [name, index]));
  return graph.fileSystems
    .filter((spec) => spec.fstab !== undefined)
    .sort((a, b) => (rank.get(a.fstab?.base ?? '') ?? 0) - (rank.get(b.fstab?.base ?? '') ?? 0))
    .map((spec) => `${renderLine(spec)}\n`)
    .join('');
}

function renderLine({ label, type, mountPoint, fstab }: FileSystemSpec): string {
  const tail = `${fstab?.dumpFreq ?? 0} ${fstab?.fsckPassno ?? 2}`;
  const start = `LABEL=${escapeField(label)}`;
  return mountPoint === undefined
    ? `${start} none swap sw 0 0`
    : `${start} ${escapeField(mountPoint)} ${type} ${fstab?.options ?? 'defaults'} ${tail}`;
}

/** fstab(5): blanks are octal escapes. */
function escapeField(text: string): string {
  return text.replaceAll(' ', '\\040').replaceAll('\t', '\\011');
}
