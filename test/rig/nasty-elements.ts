/** The elements of test/fixtures/nasty as a build gets them, with what git does not keep. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './run-hook.ts';

/** All that one image can have; what ends a build has an image of its own. */
export const NASTY = [
  'nasty-end',
  'nasty-environment',
  'nasty-leftovers',
  'nasty-links',
  'nasty-order',
  'nasty-output',
  'nasty-packages-more',
  'nasty-static-more',
];

/** What the elements expect of the user. */
export const NASTY_ENVIRONMENT = {
  // Upstream's journal does not fit into the disk of a small tree.
  DIB_IMAGE_SIZE: '0.3',
  DIB_INSTALLTYPE_nasty_thing: 'package',
  NASTY_FROM_USER: 'user',
  NASTY_FROM_USER_UNSET: '1',
  NASTY_FROM_USER_CHANGED: 'user',
};

/** Puts them into a directory that is not there yet. */
export async function writeNastyElements(dir: string): Promise<string> {
  execFileSync('cp', ['-r', path.join(ROOT, 'test/fixtures/nasty'), dir]);
  // Whatever the umask of the checkout was.
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', dir]);
  await mkdir(path.join(dir, 'nasty-links/empty'));
  await mkdir(path.join(dir, 'nasty-links/__pycache__'));
  await writeFile(path.join(dir, 'nasty-links/__pycache__/no'), '');
  await symlink('nasty-order', path.join(dir, 'nasty-alias'));
  const inStatic = path.join(dir, 'nasty-static/static/nasty/static');
  await mkdir(path.join(inStatic, '.git'));
  await writeFile(path.join(inStatic, '.git/config'), '');
  await chmod(path.join(inStatic, 'deep/a/b/file'), 0o600);
  await chmod(path.join(inStatic, 'deep'), 0o700);
  execFileSync('find', [dir, '-exec', 'touch', '--no-dereference', '-d', '2020-01-02', '{}', '+']);
  return dir;
}
