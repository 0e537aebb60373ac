/**
 * Mounts of a build. We are in a private mount namespace: what is mounted here is seen by nobody
 * else and is gone with us. Unmounting matters all the same, because what comes next reads the tree.
 */
import { access, lstat, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { runTool } from './process.ts';

/** One mount to make: `mount -t <type> -o <options> <source> <target>`, or a bind. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  readonly options?: string;
}

export async function mount(what: Mount, context: Context): Promise<void> {
  const type = what.type === undefined ? [] : ['-t', what.type];
  const options = what.options === undefined ? [] : ['-o', what.options];
  await runTool(['mount', ...type, ...options, what.source, what.target], context, {
    announce: false,
  });
}

/**
 * The kernel's file systems in a target root: proc, dev, dev/pts, sys (read-only).
 *
 * A devpts of the target's own, with the host's options: package scripts need a terminal device
 * owned by group tty. Source: lib/common-functions, `mount_proc_dev_sys` (compat).
 */
export function kernelFilesystems(root: string, ptsOptions: string): readonly Mount[] {
  return [
    { source: 'proc', target: path.join(root, 'proc'), type: 'proc' },
    { source: '/dev', target: path.join(root, 'dev'), options: 'bind' },
    { source: 'devpts', target: path.join(root, 'dev/pts'), type: 'devpts', options: ptsOptions },
    { source: 'sysfs', target: path.join(root, 'sys'), type: 'sysfs', options: 'ro' },
  ];
}

/** The options of the host's own /dev/pts that a new devpts understands. Pure. */
export function devptsOptions(mountinfo: string): string {
  const line = mountinfo.split('\n').find((row) => row.split(' ')[4] === '/dev/pts');
  const own = line?.split(' - ')[1]?.split(' ')[2]?.split(',') ?? [];
  const kept = own.filter((option) => /^(gid|mode|ptmxmode)=/.test(option));
  return ['newinstance', ...(kept.length > 0 ? kept : ['gid=5', 'mode=620'])].join(',');
}

/** Mounts the kernel's file systems; missing mount points are made. */
export async function mountKernelFilesystems(root: string, context: Context): Promise<void> {
  const options = devptsOptions(await readFile('/proc/self/mountinfo', 'utf8'));
  for (const what of kernelFilesystems(root, options)) {
    await assertRealDirectory(root, what.target);
    await mount(what, context);
  }
}

/** A mount must not follow a link that the target's content put there. */
async function assertRealDirectory(root: string, target: string): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (found === undefined) {
    await mkdir(target, { recursive: true });
  } else if (!found.isDirectory()) {
    throw new Failed({
      kind: 'config',
      message: `Cannot mount on '/${path.relative(root, target)}' in the target: it is not a directory`,
      hint: 'Look at what the root.d hooks put there',
    });
  }
}

/** Mount points below a directory, deepest and newest first. Pure; paths as the kernel shows them. */
export function mountsBelow(mountinfo: string, directory: string): readonly string[] {
  const prefix = `${directory.replace(/\/+$/, '')}/`;
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point): point is string => point !== undefined)
    .map((point) =>
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((point) => point.startsWith(prefix))
    .reverse();
}

/**
 * Unmounts everything below a directory; the directory's own mount stays.
 *
 * Lazily, as upstream does: a process that hangs in there must not keep us. What is still mounted
 * afterwards is an error, because the next step would delete or archive somebody else's files.
 */
export async function unmountBelow(directory: string, context: Context): Promise<void> {
  for (const point of mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), directory)) {
    await runTool(['umount', '--lazy', '--no-canonicalize', point], context, { announce: false });
  }
  const left = mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), directory);
  if (left.length > 0) {
    throw new Error(`Cannot unmount ${left.join(', ')}`);
  }
}

/** Whether a path exists. */
export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
