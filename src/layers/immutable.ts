/**
 * Files that hooks have made immutable (`chattr +i`), which upstream's users do to keep a resolv.conf. An overlay notes
 * that in an attribute of the upper which it does not look for in layers below; copies of files lose it anyway.
 * Source: Linux, fs/overlayfs/util.c, ovl_check_protattr().
 */
import { accessSync, constants, type Dirent, readdirSync } from 'node:fs';
import { inUserNamespace } from '../sandbox/user-namespace.ts';

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
  // Names are bytes, one in each character: to keep them in buffers takes twice as long.
  const [root, upper] = [bytesOf(tree.root), bytesOf(tree.upper)];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(upper + folder)) {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        folders.push(name);
      } else if (entry.isFile() && isImmutable(root + name)) {
        return Buffer.from(name, 'latin1').toString();
      }
    }
  }
  return undefined;
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

const ASCII = /^[\0-\x7f]*$/;

/** What Node takes for a path of these bytes. */
function pathOf(bytes: string): string | Buffer {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** Empty where a process that a hook left has removed it meanwhile. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(pathOf(folder), { encoding: 'latin1', withFileTypes: true });
  } catch {
    return [];
  }
}

/** What is mounted over a file may be read-only, or not have it: that is another error. */
function isImmutable(file: string): boolean {
  try {
    accessSync(pathOf(file), constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
