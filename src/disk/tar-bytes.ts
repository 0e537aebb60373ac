/** What a member of a tar takes. Pure. Source: GNU tar manual, "Basic Tar Format". */
import { roundUp } from './sizes.ts';

const TAR_BLOCK = 512;

/** Extended headers: times with fractions, long names, attributes. */
export const MOST_HEADER_BYTES = 4096;

/** The plain header and the content. */
export function tarBytes(contentBytes: number): number {
  return TAR_BLOCK + roundUp(contentBytes, TAR_BLOCK);
}
