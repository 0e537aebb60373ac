/** Makes the hook tree on disk. */
import { chmodSync, copyFileSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import { type HookTree, planHookTree, type TreeFile } from './hook-tree.ts';
import { listElement } from './listing.ts';

/**
 * Reads the directories of elements and plans their hook tree. Pass the elements in their order;
 * the implicit element is one of them.
 *
 * @throws Failed `config` as `listElement` and `planHookTree` do.
 */
export async function readHookTree(
  elements: readonly { readonly name: string; readonly path: string }[],
): Promise<HookTree> {
  return planHookTree(await Promise.all(elements.map(listElement)));
}

/**
 * Copies a hook tree into `hooksDir`, which is made; modes are kept and links stay links.
 *
 * @throws Failed `config` when a file of an element cannot be read any more.
 */
export async function assembleHooks(tree: HookTree, hooksDir: string): Promise<void> {
  mkdirSync(hooksDir, { recursive: true });
  for (const { path: directory } of tree.directories) {
    mkdirSync(path.join(hooksDir, directory));
  }
  for (const file of tree.files) {
    copy(file, path.join(hooksDir, file.path));
  }
  // Afterwards: a directory that may not be written must still be filled. Deepest first, because
  // one that may not be searched hides what is in it.
  for (const { path: directory, mode } of tree.directories.toReversed()) {
    chmodSync(path.join(hooksDir, directory), mode);
  }
}

function copy(file: TreeFile, target: string): void {
  try {
    if (file.isLink) {
      symlinkSync(readlinkSync(file.source), target);
    } else {
      copyFileSync(file.source, target);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EACCES' && code !== 'ENOENT') {
      throw error;
    }
    throw configError(`Cannot copy '${file.source}' of the element '${file.element}': ${code}`, {
      hint:
        code === 'ENOENT'
          ? 'It was there a moment ago: do not change elements while a build starts'
          : 'Mend its permissions',
    });
  }
}
