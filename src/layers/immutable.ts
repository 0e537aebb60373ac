/**
 * Files that hooks have made immutable (`chattr +i`), which upstream's users do to keep a resolv.conf. An overlay notes
 * that in an attribute of the upper which it does not look for in layers below; copies of files lose it anyway.
 * Source: Linux, fs/overlayfs/util.c, ovl_check_protattr().
 */
import { accessSync, constants, type Dirent, readdirSync } from 'node:fs';
import { inUserNamespace } from '../sandbox/user-namespace.ts';

const SLASH = Buffer.from('/');

/**
 * Of what is in the upper as the tree `root` shows it, the first file that root may not write: its path in the tree.
 * Without root of the host nobody may make any. Asks without a process: each cut asks, and most have few files.
 */
export function firstImmutable(tree: {
  readonly root: string;
  readonly upper: string;
}): string | undefined {
  if (inUserNamespace()) {
    return undefined;
  }
  const [root, upper] = [Buffer.from(tree.root), Buffer.from(tree.upper)];
  const folders = [Buffer.alloc(0)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(Buffer.concat([upper, folder]))) {
      const name = Buffer.concat([folder, SLASH, entry.name]);
      if (entry.isDirectory()) {
        folders.push(name);
      } else if (entry.isFile() && isImmutable(Buffer.concat([root, name]))) {
        return name.toString();
      }
    }
  }
  return undefined;
}

/** Empty where a process that a hook left has removed it meanwhile. */
function entriesOf(folder: Buffer): readonly Dirent<Buffer>[] {
  try {
    return readdirSync(folder, { encoding: 'buffer', withFileTypes: true });
  } catch {
    return [];
  }
}

/** What is mounted over a file may be read-only, or not have it: that is another error. */
function isImmutable(file: Buffer): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
