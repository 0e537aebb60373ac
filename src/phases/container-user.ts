/** Whether the users that an image names are in it: a runtime looks them up only when a container starts. */
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';

/** The half of `USER:GROUP` that the tree does not know, in words; undefined when all is well. */
export async function unknownUser(tree: string, user: string): Promise<string | undefined> {
  const [name = '', group = ''] = user.split(':');
  if (!(await isKnown(tree, 'passwd', name))) {
    return `The user '${name}' is not in the image's /etc/passwd`;
  }
  if (!(await isKnown(tree, 'group', group))) {
    return `The group '${group}' is not in the image's /etc/group`;
  }
  return undefined;
}

/** Numbers need not be known, and neither do files that only a container can find. */
async function isKnown(tree: string, file: string, name: string): Promise<boolean> {
  if (name === '' || /^\d+$/.test(name)) {
    return true;
  }
  const full = path.join(tree, 'etc', file);
  const info = await lstat(full).catch(() => undefined);
  if (info !== undefined && !info.isFile()) {
    return true;
  }
  const text = info === undefined ? '' : await readFile(full, 'utf8');
  return text.split('\n').some((line) => line.startsWith(`${name}:`));
}
