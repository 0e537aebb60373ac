/**
 * Disk files as block devices, for hooks that insist on one.
 *
 * A loop device for each disk and one for each partition, by offset and size: the kernel need not
 * know the partition table. Each is held by an open descriptor and marked to go with its last user,
 * so that the kernel releases it whatever becomes of us. Source: loop(4), LO_FLAGS_AUTOCLEAR.
 */
import { open } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { configError, Failed, hostError } from '../events/failure.ts';
import { mount } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';
import type { DiskPlan, FileSystemLayout } from './layout.ts';
import { piecesOf } from './place-volumes.ts';

/** Device nodes by the names of disks, partitions and logical volumes in the configuration. */
export type Devices = ReadonlyMap<string, string>;

/** A part of a disk's file. */
export interface Part {
  readonly name: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

/** What of a disk becomes a device of its own: the disk itself first, then partitions and volumes. */
export function partsOf(
  image: DiskPlan['images'][number],
  volumeGroups: DiskPlan['volumeGroups'],
): readonly Part[] {
  const { name, sizeBytes, sectorBytes } = image;
  const volumes = volumeGroups.flatMap((group) =>
    group.logicalVolumes.map((volume) => ({ name: volume.name, pieces: piecesOf(group, volume) })),
  );
  const partitions = image.partitions.filter(({ role }) => role !== 'extended');
  return [
    { name, offsetBytes: 0, sizeBytes, sectorBytes },
    ...partitions.map((partition) => ({
      name: partition.name,
      offsetBytes: partition.startSector * sectorBytes,
      sizeBytes: partition.sectors * sectorBytes,
      sectorBytes,
    })),
    ...volumes.flatMap(({ name: volume, pieces: [piece, ...more] }) =>
      piece?.image === name && more.length === 0 ? [{ ...piece, name: volume, sectorBytes }] : [],
    ),
  ];
}

/**
 * Attaches the files of a plan; they are detached with `scope`.
 *
 * @throws Failed `host` where there are no loop devices to be had, `config` for a volume in pieces.
 */
export async function attachDisk(
  { plan, files }: { readonly plan: DiskPlan; readonly files: ReadonlyMap<string, string> },
  scope: Scope,
  context: Context,
): Promise<Devices> {
  const split = plan.fileSystems.find(({ pieces }) => pieces !== undefined);
  if (split !== undefined) {
    throw configError(
      `File system "${split.label}" lies on several physical volumes, and a hook wants it as a device`,
      { hint: 'Give its logical volume room on one of them, or use elements that need no device' },
    );
  }
  const devices = new Map<string, string>();
  for (const image of plan.images) {
    for (const part of partsOf(image, plan.volumeGroups)) {
      const file = files.get(image.name) ?? '';
      devices.set(part.name, await attach(file, part, { scope, context }));
    }
  }
  return devices;
}

/** A range of a file as a block device, until `scope` ends. @throws Failed `host`. */
export async function attach(
  file: string,
  part: Omit<Part, 'name'>,
  { scope, context }: { readonly scope: Scope; readonly context: Context },
): Promise<string> {
  const range = ['--offset', String(part.offsetBytes), '--sizelimit', String(part.sizeBytes)];
  const sector = ['--sector-size', String(part.sectorBytes)];
  const argv = ['losetup', '--find', '--show', ...sector, ...range, file] as const;
  const printed = await runTool([...argv], context, { announce: false }).catch((error: unknown) => {
    throw explained(error);
  });
  const device = printed.trim();
  const detach = (): Promise<string> =>
    runTool(['losetup', '--detach', device], unhindered(context), { announce: false });
  const handle = await open(device, 'r').catch(async (error: unknown) => {
    await detach();
    throw error;
  });
  scope.defer(() => handle.close());
  // While it is open this only says that it is to go with its last user.
  await detach();
  return device;
}

/** What must be undone is undone when the build is stopped, too. */
function unhindered(context: Context): Context {
  return { ...context, signal: new AbortController().signal };
}

function explained(error: unknown): unknown {
  if (!(error instanceof Failed) || error.failure.kind !== 'tool') {
    return error;
  }
  const said = error.failure.lastLines.join(' ');
  return hostError(
    `Cannot get a loop device: ${said}`,
    'In a container, give it /dev/loop-control and the loop devices (docker run --privileged); or choose elements that do not work on a block device',
  );
}

export interface MountPlace {
  readonly devices: Devices;
  /** Where `/` is mounted. */
  readonly root: string;
}

/**
 * Mounts the file systems of a plan, outer ones first.
 *
 * @throws Failed `host` for a file system that this kernel does not know.
 */
export async function mountDisk(
  plan: DiskPlan,
  { devices, root }: MountPlace,
  context: Context,
): Promise<void> {
  for (const fs of mountOrder(plan)) {
    const source = deviceOf(plan, fs, devices);
    await mount({ source, target: placeOf(fs, root), type: fs.type }, context).catch(
      (error: unknown) => {
        throw cannotMount(error, fs);
      },
    );
  }
}

/**
 * Ends all writing: what is free is given back, so that images stay small, and the file systems can
 * only be read, both where they are mounted and in their files.
 */
export async function freezeDisk(
  plan: DiskPlan,
  { devices, root }: MountPlace,
  context: Context,
): Promise<void> {
  for (const fs of mountOrder(plan)) {
    const target = placeOf(fs, root);
    if (fs.mountPoint !== '/') {
      await mount({ source: deviceOf(plan, fs, devices), target, type: fs.type }, context);
    }
    // Not every file system can; the image is only larger then.
    await runTool(['fstrim', target], context, { announce: false }).catch(() => {});
    await runTool(['mount', '-o', 'remount,ro', target], context, { announce: false });
  }
  await runTool(['sync'], context, { announce: false });
}

function mountOrder(plan: DiskPlan): readonly FileSystemLayout[] {
  return plan.fileSystems
    .filter(({ mountPoint }) => mountPoint?.startsWith('/'))
    .toSorted((a, b) => ((a.mountPoint ?? '') < (b.mountPoint ?? '') ? -1 : 1));
}

function placeOf({ mountPoint }: FileSystemLayout, root: string): string {
  return mountPoint === '/' ? root : `${root}${mountPoint}`;
}

/** The device that holds a file system: that of its partition, or of a disk without any. */
function deviceOf(plan: DiskPlan, fs: FileSystemLayout, devices: Devices): string {
  const image = plan.images.find(({ name }) => name === fs.image);
  const [disk, ...partitions] = image === undefined ? [] : partsOf(image, plan.volumeGroups);
  const part = partitions.find(({ offsetBytes }) => offsetBytes === fs.offsetBytes) ?? disk;
  const device = devices.get(part?.name ?? '');
  if (device === undefined) {
    throw new Error(`No device for the file system ${fs.name}`);
  }
  return device;
}

function cannotMount(error: unknown, fs: FileSystemLayout): unknown {
  return error instanceof Failed && error.failure.kind === 'tool'
    ? hostError(
        `Cannot mount ${fs.mountPoint} (${fs.type}): ${error.failure.lastLines.at(-1) ?? ''}`,
        `The kernel must know ${fs.type}: load its module, or choose elements that do not work on a block device`,
      )
    : error;
}
