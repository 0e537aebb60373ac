/**
 * Names by which an overlay is told of its lower directories: links of a few letters in one directory, which
 * the mount is made from.
 *
 * mount(2) takes options of one page, and one that goes through fsconfig(2) 255 bytes for each of them; with
 * the keys of layers a page ends at 84. Source: mount(2); fsconfig_set in Linux, fs/fsopen.c.
 */
import { mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** How many lower directories an overlay may have. Source: OVL_MAX_STACK in Linux, fs/overlayfs/params.h. */
const MOST_LOWER = 500;

/** Room for what is never cut: each phase ends with a layer. */
const FOR_PHASES = 20;

/** Whether a phase that stands on so many layers may be cut. Pure. */
export function mayCut(layers: number): boolean {
  return layers < MOST_LOWER - FOR_PHASES;
}

/** The name of the lower directory of this number, from 0. Pure. */
export function lowerName(index: number): string {
  return index.toString(36);
}

/** Has `directory` hold a name for each of these trees; the names, in the same order. */
export function nameLower(directory: string, trees: readonly string[]): readonly string[] {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  return trees.map((tree, index) => {
    const name = lowerName(index);
    const link = path.join(directory, name);
    if (targetOf(link) !== tree) {
      rmSync(link, { force: true });
      symlinkSync(tree, link);
    }
    return name;
  });
}

/** Undefined where there is no such link. */
function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
