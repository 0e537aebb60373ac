/**
 * Mounts of a build. We are in a private mount namespace: what is mounted here is seen by nobody
 * else and is gone with us. Unmounting matters all the same, because what comes next reads the tree.
 */
import { access, chmod, lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { runTool } from './process.ts';
import { inUserNamespace } from './user-namespace.ts';

/** One mount to make: `mount -t <type> -o <options> <source> <target>`, or a bind. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  readonly options?: string;
}

/**
 * A read-only bind is a bind that is mounted again, and nobody in a user namespace may then give back
 * what the file system outside was denied. Source: mount_namespaces(7), "locked" flags.
 */
async function lockedOptions({ source, options }: Mount): Promise<readonly string[]> {
  const readOnlyBind = /bind/.test(options ?? '') && options?.split(',').includes('ro') === true;
  return readOnlyBind && inUserNamespace()
    ? denialsAt(await readFile('/proc/self/mountinfo', 'utf8'), source)
    : [];
}

/** Those of nosuid, nodev and noexec that the file system of a path is mounted with. Pure. */
export function denialsAt(mountinfo: string, file: string): readonly string[] {
  const rows = mountinfo.split('\n').map((line) => {
    const [, , , , point = '', options = ''] = line.split(' ');
    return { point: unescaped(point), options: options.split(',') };
  });
  const above = rows.filter(({ point }) => isAtOrAbove(point, file));
  const longest = Math.max(...above.map(({ point }) => point.length));
  // The last one of those at the same place hides the others.
  const found = above.filter(({ point }) => point.length === longest).at(-1);
  return ['nosuid', 'nodev', 'noexec'].filter((option) => found?.options.includes(option));
}

function isAtOrAbove(point: string, file: string): boolean {
  return point === '/' || point === file || file.startsWith(`${point}/`);
}

/** Shell that mounts what `mountWords` says. One process for many: a build mounts often. */
export const MOUNT_ALL = `
while [ $# -gt 0 ]; do
    mount -t "$1" -o "$2" "$3" "$4" || exit
    shift 4
done
`;

export async function mount(what: Mount, context: Context): Promise<void> {
  await mountAll([what], context);
}

/** Mounts them in this order, until one cannot be. */
export async function mountAll(all: readonly Mount[], context: Context): Promise<void> {
  if (all.length === 0) {
    return;
  }
  const words = await mountWords(all);
  const [type = '', options = '', ...rest] = words;
  const argv: [string, ...string[]] =
    all.length === 1
      ? ['mount', '-t', type, '-o', options, ...rest]
      : ['sh', '-c', MOUNT_ALL, 'mount', ...words];
  await runTool(argv, context, { announce: false });
}

/** What `MOUNT_ALL` takes as arguments: type, options, source and target of each. */
export async function mountWords(all: readonly Mount[]): Promise<readonly string[]> {
  const words = await Promise.all(
    all.map(async (what) => {
      const locked = await lockedOptions(what);
      const options = [...(what.options === undefined ? [] : [what.options]), ...locked];
      // Source: mount(8): a bind has no type; `rw` is what stands for no option.
      return [what.type ?? 'none', options.join(',') || 'rw', what.source, what.target];
    }),
  );
  return words.flat();
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

/** The device nodes that programs expect wherever they run. Source: OCI runtime-spec, default devices. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/**
 * The same in a user namespace. Device nodes cannot be made there, so the target gets a /dev of its
 * own, which its packages may change, with the host's nodes bound into it. A new sysfs would need
 * its own network, so the host's is bound; `rbind`, because the kernel lets nobody see below what
 * was mounted outside. Source: user_namespaces(7), mount_namespaces(7).
 */
export function namespaceFilesystems(root: string, ptsOptions: string): readonly Mount[] {
  const dev = path.join(root, 'dev');
  return [
    { source: 'proc', target: path.join(root, 'proc'), type: 'proc' },
    { source: 'dev', target: dev, type: 'tmpfs', options: 'mode=755,nosuid' },
    ...DEVICES.map((name) => ({
      source: `/dev/${name}`,
      target: path.join(dev, name),
      options: 'bind',
    })),
    {
      source: 'devpts',
      target: path.join(dev, 'pts'),
      type: 'devpts',
      // Who opens ptmx must not need the host's permission for it.
      options: `${ptsOptions.replace(/,ptmxmode=\d+/, '')},ptmxmode=666`,
    },
    { source: '/sys', target: path.join(root, 'sys'), options: 'rbind,ro' },
  ];
}

/** What a /dev has beside its nodes. */
const DEVICE_LINKS = [
  ['ptmx', 'pts/ptmx'],
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const;

/** The options of the host's own /dev/pts that a new devpts understands. Pure. */
export function devptsOptions(mountinfo: string): string {
  const line = mountinfo.split('\n').find((row) => row.split(' ')[4] === '/dev/pts');
  const own = line?.split(' - ')[1]?.split(' ')[2]?.split(',') ?? [];
  const kept = own.filter((option) => /^(gid|mode|ptmxmode)=/.test(option));
  return ['newinstance', ...(kept.length > 0 ? kept : ['gid=5', 'mode=620'])].join(',');
}

/**
 * The kernel's file systems that are still to be mounted, in order; missing mount points are made. In a user
 * namespace they are mounted at once: some of it lies on what comes before.
 */
export async function readyKernelFilesystems(
  root: string,
  context: Context,
): Promise<readonly Mount[]> {
  const options = devptsOptions(await readFile('/proc/self/mountinfo', 'utf8'));
  if (inUserNamespace()) {
    await mountInNamespace(root, options, context);
    return [];
  }
  const all = kernelFilesystems(root, options);
  // What one of them brings is there once that is mounted.
  const inTree = all.filter(({ target }) =>
    all.every((one) => !target.startsWith(`${one.target}/`)),
  );
  for (const { target } of inTree) {
    await assertRealDirectory(root, target);
  }
  return all;
}

async function mountInNamespace(root: string, options: string, context: Context): Promise<void> {
  const dev = path.join(root, 'dev');
  for (const what of namespaceFilesystems(root, options)) {
    if (path.dirname(what.target) === dev && what.type === undefined) {
      await writeFile(what.target, '');
    } else {
      await assertRealDirectory(root, what.target);
    }
    await mount(what, context);
  }
  for (const [name, target] of DEVICE_LINKS) {
    await symlink(target, path.join(dev, name));
  }
  await mkdir(path.join(dev, 'shm'));
  await chmod(path.join(dev, 'shm'), 0o1777);
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

interface MountPoint {
  readonly id: string;
  readonly parent: string;
  readonly point: string;
}

/** Source: proc_pid_mountinfo(5): id, parent's id, device, root, mount point. */
function mountPointsBelow(mountinfo: string, directory: string): readonly MountPoint[] {
  const prefix = `${directory.replace(/\/+$/, '')}/`;
  return mountinfo
    .split('\n')
    .map((line) => {
      const [id = '', parent = '', , , point = ''] = line.split(' ');
      return { id, parent, point: unescaped(point) };
    })
    .filter(({ point }) => point.startsWith(prefix))
    .reverse();
}

function unescaped(point: string): string {
  return point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Mount points below a directory, deepest and newest first. Pure; paths as the kernel shows them. */
export function mountsBelow(mountinfo: string, directory: string): readonly string[] {
  return mountPointsBelow(mountinfo, directory).map(({ point }) => point);
}

/**
 * Those of `mountsBelow` that hang on no other of them: with each goes what is mounted below it. What
 * came into a user namespace together can only go together. Source: mount_namespaces(7). Pure.
 */
export function topMountsBelow(mountinfo: string, directory: string): readonly string[] {
  const found = mountPointsBelow(mountinfo, directory);
  const ids = new Set(found.map(({ id }) => id));
  return found.filter(({ parent }) => !ids.has(parent)).map(({ point }) => point);
}

/** Mounts on top of each other go one at a time; a hook makes one or two. */
const MOST_ROUNDS = 20;

/**
 * Unmounts everything below a directory; the directory's own mount stays.
 *
 * Lazily, as upstream does: a process that hangs in there must not keep us. What is still mounted
 * afterwards is an error, because the next step would delete or archive somebody else's files.
 */
export async function unmountBelow(directory: string, context: Context): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const points = topMountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), directory);
    if (points.length === 0) {
      return;
    }
    await runTool(['umount', '--lazy', '--no-canonicalize', ...points], context, {
      announce: false,
    });
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
