/** Which identifier a file system gets. */
import type { Identifiers } from '../plan/identifiers.ts';

/** The UUID of a file system, unless its configuration names one. */
export function fileSystemUuid(
  spec: { readonly name: string; readonly uuid?: string },
  identifiers: Identifiers,
): string {
  return spec.uuid ?? identifiers(`file-system ${spec.name}`);
}
