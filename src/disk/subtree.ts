/**
 * One directory for each file system: the tree below its mount point, without what other file
 * systems hold.
 *
 * A file system with nothing mounted inside is just its directory. Otherwise a bind mount of it,
 * with an empty directory bound over each nested mount point. The mounts belong to the private
 * namespace that a build runs in, and go when the scope ends.
 */
import { chmod, chown, lstat, mkdir, mkdtemp, rmdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { runTool } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';

export interface SubtreeInput {
  readonly tree: string;
  /** Of all file systems. */
  readonly mountPoints: readonly string[];
  /** For mount points of ours. */
  readonly workDir: string;
  readonly context: Context;
}

/**
 * Makes the directories that file systems are mounted on, where the tree lacks them.
 *
 * @throws Failed `config` when one is a link or no directory: it would lead out of the tree.
 */
export async function makeMountPoints(tree: string, mountPoints: readonly string[]): Promise<void> {
  for (const point of mountPoints.toSorted()) {
    let at = tree;
    for (const part of point.split('/').filter((one) => one !== '')) {
      at = path.join(at, part);
      await makeDirectory(at, point);
    }
  }
}

async function makeDirectory(directory: string, mountPoint: string): Promise<void> {
  try {
    await mkdir(directory);
    // Whatever the umask: everybody passes through a mount point.
    await chmod(directory, 0o755);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  }
  if (!(await lstat(directory)).isDirectory()) {
    throw configError(
      `Mount point "${mountPoint}" cannot be used: "${path.basename(directory)}" is not a directory in the tree`,
      { hint: 'Use a mount point without symbolic links' },
    );
  }
}

/** A directory with what the file system at `mountPoint` is to hold; valid until `scope` ends. */
export async function openSubtree(
  mountPoint: string,
  input: SubtreeInput,
  scope: Scope,
): Promise<string> {
  const source = path.join(input.tree, mountPoint);
  const nested = nestedMountPoints(mountPoint, input.mountPoints);
  if (nested.length === 0) {
    return source;
  }
  const view = await bind(source, await temporaryDirectory(input, scope), { input, scope });
  for (const point of nested) {
    const hollow = await temporaryDirectory(input, scope);
    await copyAttributes(path.join(input.tree, point), hollow);
    const target = path.join(view, path.relative(mountPoint, point));
    await bind(hollow, target, { input, scope });
  }
  return view;
}

/** Mount points inside `mountPoint`, less those inside another one of them. */
export function nestedMountPoints(mountPoint: string, all: readonly string[]): string[] {
  const within = (outer: string, inner: string): boolean =>
    inner !== outer && inner.startsWith(outer === '/' ? '/' : `${outer}/`);
  const inside = all.filter((point) => within(mountPoint, point));
  return inside.filter((point) => !inside.some((other) => within(other, point))).toSorted();
}

async function temporaryDirectory({ workDir }: SubtreeInput, scope: Scope): Promise<string> {
  const directory = await mkdtemp(path.join(workDir, 'view-'));
  scope.defer(() => rmdir(directory));
  return directory;
}

async function bind(
  source: string,
  target: string,
  { input, scope }: { input: SubtreeInput; scope: Scope },
): Promise<string> {
  const quiet = { announce: false };
  await runTool(['mount', '--bind', '--make-private', source, target], input.context, quiet);
  scope.defer(async () => {
    // Cleaning up must work after an abort, too.
    const context = { ...input.context, signal: new AbortController().signal };
    await runTool(['umount', target], context, quiet);
  });
  return target;
}

/** The directory below a mount looks as it does in the tree, its time included. */
async function copyAttributes(from: string, to: string): Promise<void> {
  const { mode, uid, gid, atime, mtime } = await lstat(from);
  await chown(to, uid, gid);
  await chmod(to, mode & 0o7777);
  await utimes(to, atime, mtime);
}
