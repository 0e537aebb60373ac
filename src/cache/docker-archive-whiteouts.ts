/**
 * What an upper layer of a container image takes away from the lower ones. Pure.
 *
 *     dir/.wh.name           dir/name is gone
 *     dir/.wh..wh..opq       everything that lower layers have in dir is gone
 *     dir/.wh..wh.anything   bookkeeping of AUFS, of no meaning
 *
 * Source: OCI image-spec, layer.md, "Whiteouts".
 */
import path from 'node:path';

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** What is to be done about one entry of an upper layer before the layer is put over the lower ones. */
export type Removal =
  /** The whole entry. */
  | { readonly kind: 'entry'; readonly name: string }
  /** All that is in the directory. */
  | { readonly kind: 'content'; readonly name: string }
  /** The entry, if it is a directory: something else takes its place. */
  | { readonly kind: 'directory'; readonly name: string };

/** The removal that an entry asks for; undefined for a directory and for bookkeeping. */
export function removalFor(name: string, isDirectory: boolean): Removal | undefined {
  const base = path.posix.basename(name);
  const parent = path.posix.dirname(name);
  if (base === OPAQUE) {
    return { kind: 'content', name: parent };
  }
  if (base.startsWith(`${PREFIX}${PREFIX}`)) {
    return undefined;
  }
  if (base.startsWith(PREFIX)) {
    return { kind: 'entry', name: path.posix.join(parent, base.slice(PREFIX.length)) };
  }
  return isDirectory ? undefined : { kind: 'directory', name };
}

/** Whether an entry is a marker, which must not stay in the root file system. */
export function isMarker(name: string): boolean {
  return name.split('/').some((part) => part.startsWith(PREFIX));
}
