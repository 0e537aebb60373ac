/** The files of all RPMs, in one tree: their packages do not overlap. */
import { chmod, cp, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Deb } from './debs.ts';
import { PATHS_LEFT_OUT, type RpmRow } from './packages.ts';
import type { TextFiles } from './release.ts';
import type { RpmFile } from './spec.ts';
import { OWN_FILES, type Workshop } from './workshop.ts';

/** In Debian 12's packages these are directories, in a file system they are links into /usr. */
const MERGED = ['bin', 'lib', 'lib64', 'sbin'];
const MERGED_PATH = new RegExp(`^/(${MERGED.join('|')})/`);

/** Makes the tree; its path. */
export async function makeTree(workshop: Workshop): Promise<string> {
  const tree = path.join(workshop.dir, 'tree');
  for (const name of MERGED) {
    await mkdir(path.join(tree, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, path.join(tree, name));
  }
  return tree;
}

/** Unpacks a Debian package into the tree; paths of its files and of its directories, with a slash. */
export async function unpackDeb(workshop: Workshop, tree: string, deb: Deb): Promise<string[]> {
  const options = ['--keep-directory-symlink', '--no-same-owner', '--preserve-permissions'];
  const unpacked =
    await workshop.run`dpkg-deb --fsys-tarfile ${deb.file} | tar --extract --verbose ${options} --directory ${tree} --quoting-style=literal`;
  return unpacked.stdout
    .split('\n')
    .map((line) => line.replace(/^\.\//, '/').replace(MERGED_PATH, '/usr/$1/'))
    .filter((line) => line.startsWith('/') && line !== '/');
}

/** What an RPM owns of the paths that its Debian packages brought. */
export function chooseFiles(paths: readonly string[], drop: readonly RegExp[]): RpmFile[] {
  const leftOut = [...PATHS_LEFT_OUT, ...drop];
  const kept = [...new Set(paths)].filter((name) => !leftOut.some((pattern) => pattern.test(name)));
  const parents = new Set(kept.map((name) => `${path.dirname(name)}/`));
  return kept
    .filter((name) => !name.endsWith('/') || !(parents.has(name) || isShared(name)))
    .map((name) =>
      name.endsWith('/')
        ? { path: name.slice(0, -1), kind: 'dir' }
        : { path: name, kind: name.startsWith('/etc/') ? 'config' : 'file' },
    );
}

/** Directories that the package filesystem has. */
function isShared(dir: string): boolean {
  return /^\/(usr\/)?[^/]+\/$|^\/usr\/local\/|^\/var\/[^/]+\/$/.test(dir);
}

/** Adds the files of our own: from test/fixtures, from texts, links and directories. */
export async function addOwnFiles(
  tree: string,
  own: { readonly name: string; readonly row: RpmRow; readonly texts: TextFiles },
): Promise<RpmFile[]> {
  const attr = (name: string): { attr?: string } => {
    const inside = own.row.attr?.[name];
    return inside === undefined ? {} : { attr: inside };
  };
  const files = await copyFixture(tree, own.name);
  for (const [name, text] of Object.entries(own.texts)) {
    await writeInto(tree, name, text);
    files.push(name);
  }
  for (const [name, target] of Object.entries(own.row.links ?? {})) {
    const file = path.join(tree, name);
    await mkdir(path.dirname(file), { recursive: true });
    if (!MERGED.includes(name.slice(1))) {
      await rm(file, { force: true, recursive: true });
      await symlink(target, file);
    }
  }
  for (const name of own.row.dirs ?? []) {
    await mkdir(path.join(tree, name), { recursive: true });
  }
  return [
    ...files.map((name): RpmFile => ({ path: name, kind: kindOf(name), ...attr(name) })),
    ...Object.keys(own.row.links ?? {}).map((name): RpmFile => ({ path: name, kind: 'file' })),
    ...(own.row.dirs ?? []).map((name): RpmFile => ({ path: name, kind: 'dir', ...attr(name) })),
  ];
}

function kindOf(name: string): RpmFile['kind'] {
  return name.startsWith('/etc/') ? 'config' : 'file';
}

/** Writes one file of the tree. */
export async function writeInto(tree: string, name: string, text: string | Buffer): Promise<void> {
  const file = path.join(tree, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o644);
}

async function copyFixture(tree: string, name: string): Promise<string[]> {
  const from = path.join(OWN_FILES, name);
  if ((await stat(from).catch(() => undefined)) === undefined) {
    return [];
  }
  await cp(from, tree, { recursive: true, force: true });
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => `/${path.relative(from, path.join(entry.parentPath, entry.name))}`);
  // The checkout's umask is not the package's.
  for (const file of files) {
    const executable = ((await stat(path.join(from, file))).mode & 0o100) !== 0;
    await chmod(path.join(tree, file), executable ? 0o755 : 0o644);
  }
  return files;
}
