/** The disk of a build: what hooks may know of it early, its size, and at the end its file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeDisk } from '../disk/describe.ts';
import type { DiskPlan } from '../disk/layout.ts';
import { measureTree } from '../disk/measure.ts';
import type { TreeSize } from '../disk/room.ts';
import { makeMountPoints } from '../disk/subtree.ts';
import { writeDisk } from '../disk/write.ts';
import type { Context } from '../events/event.ts';
import { yamlMap } from '../plan/yaml-map.ts';
import { runTool } from '../sandbox/process.ts';
import type { SizedDisk } from './disk-size.ts';
import type { BuildPaths, DiskVariables } from './environment.ts';
import { assertDiskFits, placesOf } from './space.ts';

export interface DiskStage extends SizedDisk {
  readonly paths: BuildPaths;
}

/**
 * Writes `block-device/{config,params}.yaml` into the build directory, where elements look for them
 * (compat), and returns what hooks are told.
 */
export function openDiskStage(stage: DiskStage): DiskVariables {
  const { build, graph, paths } = stage;
  const directory = path.join(paths.buildDir, 'block-device');
  const paramsFile = path.join(directory, 'params.yaml');
  const described = describeDisk(graph);
  const configFile = path.join(directory, 'config.yaml');
  mkdirSync(directory);
  writeFileSync(configFile, build.diskConfig.text);
  const params = yamlMap([
    ['config', configFile],
    ['image-dir', paths.imageDir],
    ['root-fs-type', described.rootFsType],
    ['root-label', described.rootLabel],
    ['mount-base', paths.targetRoot],
    ['build-dir', paths.buildDir],
  ]);
  writeFileSync(paramsFile, params);
  return { ...described, paramsFile };
}

/** The size of the tree. */
export async function measureDisk(stage: DiskStage, context: Context): Promise<TreeSize> {
  context.emit({
    kind: 'message',
    level: 'info',
    text: 'Calculating image size (this may take a minute)...',
  });
  const { targetRoot } = stage.paths;
  return measureTree(targetRoot, context);
}

/** `DIB_SHOW_IMAGE_USAGE`: what takes the room, largest last; above 10 MiB unless all is wanted. */
export async function reportUsage(stage: DiskStage, context: Context): Promise<void> {
  const { imageUsage } = stage.build.plan.show;
  if (imageUsage === 'none') {
    return;
  }
  const threshold = imageUsage === 'full' ? [] : ['--threshold=10M'];
  const { targetRoot } = stage.paths;
  const printed = await runTool(['du', '-a', '-k', '-x', ...threshold, '.'], context, {
    announce: false,
    cwd: targetRoot,
  });
  const rows = printed.split('\n').sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const banner = '='.repeat(33);
  const text = [
    banner,
    'image size report (KiB)',
    banner,
    ...rows,
    '===== end image size report =====',
  ];
  context.emit({ kind: 'message', level: 'info', text: text.join('\n') });
}

/** `/etc/fstab` is the configuration's, whatever the hooks put there (compat). */
export async function writeFstab(plan: DiskPlan, targetRoot: string): Promise<void> {
  const etc = path.join(targetRoot, 'etc');
  await mkdir(etc, { recursive: true });
  await writeFile(path.join(etc, 'fstab'), plan.fstab, { mode: 0o644 });
}

export interface DiskWork {
  readonly directory: string;
  readonly sourceDateEpoch: number;
  readonly context: Context;
}

export interface DiskFiles {
  /** By the names of disks in the configuration. */
  readonly byName: ReadonlyMap<string, string>;
  /** The disk `image0`, or the first one. */
  readonly main: string;
  /** All but that one. */
  readonly others: ReadonlyMap<string, string>;
}

/** Writes the disks from the tree. */
export async function writeDiskFiles(
  stage: DiskStage,
  plan: DiskPlan,
  work: DiskWork,
): Promise<DiskFiles> {
  const byName = new Map(
    plan.images.map((image) => [image.name, path.join(work.directory, `${image.name}.raw`)]),
  );
  // What is to be mounted where the tree has nothing is empty.
  const mountPoints = plan.fileSystems.flatMap(({ mountPoint }) => mountPoint ?? []);
  await makeMountPoints(stage.paths.targetRoot, mountPoints);
  const { imageDir, targetRoot } = stage.paths;
  const places = await placesOf(work.directory, imageDir);
  const target = {
    tree: targetRoot,
    files: byName,
    workDir: imageDir,
    sourceDateEpoch: work.sourceDateEpoch,
  };
  const { context } = work;
  // Beside each other: to go through the tree takes a tenth of the time that it takes to write it.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const fits = assertDiskFits(stage, plan, { places, context });
  fits.catch(() => stop.abort());
  // Why it does not fit says more than whoever was writing.
  for (const outcome of await Promise.allSettled([
    fits,
    writeDisk(plan, target, { ...context, signal }),
  ])) {
    if (outcome.status === 'rejected') {
      throw outcome.reason;
    }
  }
  const [first] = plan.images;
  const main = byName.get('image0') ?? byName.get(first?.name ?? '');
  if (main === undefined) {
    throw new Error('A disk plan without an image');
  }
  return { byName, main, others: new Map([...byName].filter(([, file]) => file !== main)) };
}
