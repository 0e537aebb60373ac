/**
 * A build from its order to its images, in one screen: prepare the root, run the root phases, fix
 * the disk's size, run the disk phases, write what was asked for.
 *
 * Runs inside the namespaces: mounts and processes are gone with us, directories are our caller's.
 */
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { diskUuids } from '../disk/describe.ts';
import type { DiskPlan } from '../disk/layout.ts';
import { assembleHooks } from '../elements/assemble.ts';
import { elementsPathForHooks, elementVariables } from '../elements/element-variables.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { inStep } from '../events/step.ts';
import { writeOutputs } from '../output/write-outputs.ts';
import { unmountBelow } from '../sandbox/mounts.ts';
import { killStragglers } from '../sandbox/stragglers.ts';
import { openWorkTree } from '../sandbox/work-tree.ts';
import type { Terminal } from './break-shell.ts';
import { containerImageOf, loadContainer, wantsContainer } from './container-stage.ts';
import {
  type DiskStage,
  layOutDisk,
  measureDisk,
  openDiskStage,
  writeDiskFile,
  writeFstab,
} from './disk-stage.ts';
import type { BuildPaths, DiskVariables } from './environment.ts';
import { type ImageIdentity, identityOf, openSourceDate } from './image-identity.ts';
import { graphOf, planTree, writesDisk } from './prepare.ts';
import type { EngineOrder } from './protocol.ts';
import { runPhase } from './run-phase.ts';
import { PHASES, type Phase } from './table.ts';

export interface Engine {
  readonly context: Context;
  readonly terminal: Terminal;
}

/** Runs the build. @throws Failed */
export async function runBuild(order: EngineOrder, engine: Engine): Promise<void> {
  const { build } = order;
  const { context } = engine;
  const paths = await openBuild(order, context);
  const tree = await planTree(build.plan, build.elements);
  // What could be warned of was warned of before we were started.
  const graph = graphOf(build, () => {});
  const stage: DiskStage = { build, graph, paths };
  context.emit({ kind: 'message', level: 'info', text: build.diskConfig.message });
  await putHooks(tree, paths, context);
  await openSourceDate(build.plan, paths.hooksDir);
  const variables = await openDiskStage(stage);
  const run: Run = { order, engine, tree, paths };

  await runPhases('root', run, variables);
  await closeTree(run);

  const size = await measureDisk(stage, context);
  const identity = await identityOf(build, tree, paths);
  // `-t tar` of a tree needs no disk that it fits on.
  const disk = writesDisk(build.plan, build.elements)
    ? layOutDisk(stage, size, identity.identifiers)
    : undefined;
  if (disk !== undefined) {
    await writeFstab(disk, paths.targetRoot);
  }
  const settled = {
    imageSizeKiB: size.sizeKiB,
    ...diskUuids(graph, identity.identifiers),
  };
  await runPhases('disk', run, { ...variables, settled });
  await closeTree(run);
  await writeImages(run, { stage, disk, identity });
  await loadContainer(build, context);
}

interface Run {
  readonly order: EngineOrder;
  readonly engine: Engine;
  readonly tree: HookTree;
  readonly paths: BuildPaths;
}

async function openBuild(order: EngineOrder, context: Context): Promise<BuildPaths> {
  const { buildDir, imageDir } = order;
  const { noTmpfs, minTmpfs } = order.build.plan.work;
  const targetRoot = await openWorkTree({ buildDir, imageDir, noTmpfs, minTmpfs }, context);
  return { buildDir, imageDir, targetRoot, hooksDir: path.join(buildDir, 'hooks') };
}

async function putHooks(tree: HookTree, paths: BuildPaths, context: Context): Promise<void> {
  for (const element of tree.elements) {
    context.emit({ kind: 'element-hooks', element });
  }
  await assembleHooks(tree, paths.hooksDir);
}

async function runPhases(stage: Phase['stage'], run: Run, disk: DiskVariables): Promise<void> {
  const { plan, elements } = run.order.build;
  const environment = {
    plan,
    disk,
    paths: run.paths,
    elementVariables: elementVariables(elements),
    elementsPath: elementsPathForHooks(plan.elementsPath, elements),
  };
  const breakers = { plan: plan.breaks, terminal: run.engine.terminal };
  for (const phase of PHASES.filter((one) => one.stage === stage)) {
    await runPhase({ phase, environment, tree: run.tree, breakers }, run.engine.context);
    if (phase.name === 'root') {
      await assertRootDeployed(run.paths.targetRoot);
    }
  }
}

/** Something other than `lost+found` and temporary directories must be there (compat). */
async function assertRootDeployed(targetRoot: string): Promise<void> {
  const names = await readdir(targetRoot);
  if (!names.some((name) => name !== 'lost+found' && !name.endsWith('tmp'))) {
    throw configError('Failed to deploy the root element: the root.d hooks left the target empty', {
      hint: 'Add an element with an operating system, for example debian-minimal',
    });
  }
}

/** Nothing runs in the tree and nothing is mounted in it: what comes next reads it as it is. */
async function closeTree(run: Run): Promise<void> {
  const { targetRoot } = run.paths;
  killStragglers(run.order.outerNamespace);
  await unmountBelow(targetRoot, run.engine.context);
  // Of a file system that a hook has mounted there; only ever empty.
  await rmdir(path.join(targetRoot, 'lost+found')).catch(() => {});
}

interface Image {
  readonly stage: DiskStage;
  readonly disk: DiskPlan | undefined;
  readonly identity: ImageIdentity;
}

async function writeImages(run: Run, { stage, disk, identity }: Image): Promise<void> {
  const { build } = run.order;
  const { plan } = build;
  const { context } = run.engine;
  const { staging } = run.order;
  // A raw image is moved into place, so it is made where it will be; others are made from memory.
  const directory = plan.image.types.includes('raw')
    ? staging
    : path.join(run.paths.imageDir, 'disk');
  await mkdir(directory, { recursive: true });
  const rawDisk =
    disk === undefined
      ? undefined
      : await inStep({ step: 'disk', detail: 'Writing the disk from the tree' }, context, () =>
          writeDiskFile(stage, disk, {
            directory,
            sourceDateEpoch: identity.sourceDate,
            context,
          }),
        );
  const tree = {
    directory: run.paths.targetRoot,
    hasDisk: disk !== undefined,
    epoch: identity.sourceDate,
  };
  await writeOutputs(
    {
      image: plan.image,
      tree: run.paths.targetRoot,
      staging,
      mode: 0o666 & ~run.order.umask,
      ...identity,
      ...(rawDisk === undefined ? {} : { rawDisk }),
      ...(wantsContainer(plan) ? { container: containerImageOf(build, tree) } : {}),
    },
    context,
  );
}
