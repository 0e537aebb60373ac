/**
 * A build from its order to its images, in one screen: prepare the root, run the root phases, fix
 * the disk's size, run the disk phases, write what was asked for.
 *
 * Runs inside the namespaces: mounts and processes are gone with us, directories are our caller's.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DiskPlan } from '../disk/layout.ts';
import type { TreeSize } from '../disk/room.ts';
import { assembleHooks } from '../elements/assemble.ts';
import { elementsPathForHooks, elementVariables } from '../elements/element-variables.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { inStep } from '../events/step.ts';
import { digestOf } from '../layers/digest.ts';
import { rememberFailure } from '../layers/resume.ts';
import { writeOutputs } from '../output/write-outputs.ts';
import type { Terminal } from './break-shell.ts';
import { type BuildTree, openBuildTree, openChain, openPaths } from './build-tree.ts';
import { containerImageOf, loadContainer, wantsContainer } from './container-stage.ts';
import { attachBuildDisk } from './device-stage.ts';
import { type DiskMode, diskModeOf } from './disk-mode.ts';
import {
  type DiskFiles,
  type DiskStage,
  measureDisk,
  openDiskStage,
  reportUsage,
  writeDiskFiles,
  writeFstab,
} from './disk-stage.ts';
import type { BuildPaths, DiskVariables } from './environment.ts';
import { type ImageIdentity, openSourceDate } from './image-identity.ts';
import { assertRoomForImages } from './image-space.ts';
import { imagesKey, keepFinished, publishKept } from './kept-images.ts';
import type { PhaseLayers } from './phase-layers.ts';
import { planTree, whichBuild } from './prepare.ts';
import { collectProducts, noteStart } from './products.ts';
import type { EngineOrder } from './protocol.ts';
import { withResumeHint } from './resume-hint.ts';
import { runPhase } from './run-phase.ts';
import { FSTAB_INPUT, settle } from './settle.ts';
import { PHASES, type Phase } from './table.ts';

export interface Engine {
  readonly context: Context;
  readonly terminal: Terminal;
}

/** Runs the build. @throws Failed */
export async function runBuild(order: EngineOrder, engine: Engine): Promise<void> {
  const { build, graph } = order;
  const { context } = engine;
  const opening = openPaths(order, context);
  // Waited for below; what is thrown before that ends us.
  opening.catch(() => {});
  await noteStart(order);
  const hooks = await planTree(build.plan, build.elements);
  const paths = await opening;
  const chain = openChain(order, paths, context);
  chain.catch(() => {});
  const stage: DiskStage = { build, graph, paths };
  context.emit({ kind: 'message', level: 'info', text: build.diskConfig.message });
  await putHooks(hooks, paths, context);
  openSourceDate(build.plan, paths.hooksDir);
  const variables = openDiskStage(stage);
  const tree = await openBuildTree(order, { tree: hooks, paths, chain }, context);
  const mode = await diskModeOf(build.plan, hooks);
  const run: Run = { order, engine, hooks, tree, mode };

  await remembering(run, () => buildTree(run, { stage, variables }));
}

/** Phases, disk and images. */
async function buildTree(
  run: Run,
  { stage, variables }: { readonly stage: DiskStage; readonly variables: DiskVariables },
): Promise<void> {
  const { build } = run.order;
  const { tree } = run;
  const { context } = run.engine;
  await runPhases(run, { stage: 'root', disk: variables, fstab: undefined });
  // With layers nothing is removed here that no hook has removed: it would be in the next one.
  await (tree.layers === undefined ? tree.close(context) : tree.stop(context));
  await tree.layers?.endStage(context);

  const size = await sizeOf(run, stage);
  const device = run.mode.kind === 'device';
  const settled = await settle(stage, run.hooks, { size, device });
  const image = { stage, size, disk: settled.disk, identity: settled.identity };
  const disk = { ...variables, settled: settled.variables };
  if (device && image.disk !== undefined) {
    await finishOnDevice(run, { ...image, disk: image.disk }, disk);
  } else {
    await runPhases(run, { stage: 'disk', disk, fstab: image.disk });
    tree.layers?.chain.complete(context);
    await putImages(run, image);
  }
  await loadContainer(build, context);
}

/** The disk's phases and the images where hooks work on the disk itself. Nothing of it is kept. */
async function finishOnDevice(
  run: Run,
  image: Image & { readonly disk: DiskPlan },
  variables: DiskVariables,
): Promise<void> {
  const { context } = run.engine;
  const { stage, disk, identity } = image;
  run.tree.layers?.chain.breakOff('hooks work on the disk itself');
  await run.tree.mount(context);
  await writeFstab(disk, run.tree.paths.targetRoot);
  const work = { ...(await diskWork(run, identity)), context };
  await using attached = await attachBuildDisk(stage, disk, work);
  const { devices } = attached;
  const onDisk = { ...run, tree: run.tree.withoutLayers() };
  await runPhases(onDisk, { stage: 'disk', disk: { ...variables, devices }, fstab: undefined });
  await run.tree.stop(context);
  run.tree.layers?.chain.complete(context);
  await attached.settle(context);
  await writeImages(run, image, attached.files);
}

/** Notes how far a build got that fails, for `--resume`, and says so. */
async function remembering(run: Run, work: () => Promise<void>): Promise<void> {
  const { layers } = run.tree;
  const { context } = run.engine;
  if (layers === undefined) {
    return work();
  }
  const { chain } = layers;
  const which = whichBuild(run.order.build);
  const warn =
    (what: string) =>
    (fault: Error): void =>
      context.emit({ kind: 'message', level: 'warning', text: `${what}: ${fault.message}` });
  try {
    await work();
    await rememberFailure(chain.store, which, undefined);
  } catch (error) {
    await noteFailure(layers, which).catch(warn('For --resume it is not noted how far it got'));
    // Why the build failed is what counts.
    await chain.settle(context).catch(warn('Not all layers may be found by the next build'));
    throw withResumeHint(error, layers);
  }
  await chain.settle(context);
}

/** A build that ended before its first phase has nothing to tell. */
async function noteFailure(
  { chain, at }: PhaseLayers,
  which: Parameters<typeof rememberFailure>[1],
): Promise<void> {
  if (at !== undefined) {
    await rememberFailure(chain.store, which, { keys: chain.keys, phase: at.phase });
  }
}

interface Run {
  readonly order: EngineOrder;
  readonly engine: Engine;
  readonly hooks: HookTree;
  readonly tree: BuildTree;
  readonly mode: DiskMode;
}

async function putHooks(tree: HookTree, paths: BuildPaths, context: Context): Promise<void> {
  for (const element of tree.elements) {
    context.emit({ kind: 'element-hooks', element });
  }
  await assembleHooks(tree, paths.hooksDir);
}

/** How large the tree is; and the report of what takes the room, for who wants it. */
async function sizeOf(run: Run, stage: DiskStage): Promise<TreeSize> {
  const { context } = run.engine;
  const size = await run.tree.size(() => measureDisk(stage, context), context);
  if (run.order.build.plan.show.imageUsage !== 'none') {
    await run.tree.mount(context);
    await reportUsage(stage, context);
  }
  return size;
}

interface Stage {
  readonly stage: Phase['stage'];
  readonly disk: DiskVariables;
  /** Has the `/etc/fstab` that goes into the tree before the first phase. */
  readonly fstab: DiskPlan | undefined;
}

async function runPhases(run: Run, { stage, disk, fstab }: Stage): Promise<void> {
  const { plan, elements } = run.order.build;
  const { paths, layers } = run.tree;
  const { context } = run.engine;
  const environment = {
    plan,
    disk,
    paths,
    elementVariables: elementVariables(elements),
    elementsPath: elementsPathForHooks(plan.elementsPath, elements),
  };
  const breakers = { plan: plan.breaks, terminal: run.engine.terminal };
  let pending = fstab;
  const prepare = async (): Promise<void> => {
    if (pending !== undefined) {
      await writeFstab(pending, paths.targetRoot);
      pending = undefined;
    }
  };
  for (const phase of PHASES.filter((one) => one.stage === stage)) {
    const before = layers?.chain.keys.length ?? 0;
    const engine: Record<string, string> =
      pending === undefined ? {} : { [FSTAB_INPUT]: digestOf(pending.fstab) };
    const check = async (): Promise<void> =>
      phase.name === 'root' ? assertRootDeployed(paths.targetRoot) : undefined;
    const tree = run.hooks;
    await runPhase({ phase, environment, tree, breakers, layers, engine, prepare, check }, context);
    if ((layers?.chain.keys.length ?? 0) > before) {
      // It is in that layer.
      pending = undefined;
    }
  }
  if (pending !== undefined) {
    await run.tree.mount(context);
    await prepare();
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

interface Image {
  readonly stage: DiskStage;
  readonly disk: DiskPlan | undefined;
  readonly identity: ImageIdentity;
  /** Of the tree, before the disk's phases. */
  readonly size: TreeSize;
  /** That they are kept under in the layer store. */
  readonly key?: string;
}

/** The images, from the store where it has the same ones already. */
async function putImages(run: Run, image: Image): Promise<void> {
  const { tree, order } = run;
  const { context } = run.engine;
  const request = { order, tree, disk: image.disk, identity: image.identity };
  const key = imagesKey(request);
  if (key !== undefined && (await publishKept(request, key, context))) {
    return;
  }
  await tree.mount(context);
  await tree.close(context);
  const disks = await writeRawDisks(run, image);
  await writeImages(run, key === undefined ? image : { ...image, key }, disks);
}

/** Where disks are written: a raw image is moved into place, others are made from memory. */
async function diskWork(
  run: Run,
  identity: ImageIdentity,
): Promise<{ readonly directory: string; readonly sourceDateEpoch: number }> {
  const { staging, build } = run.order;
  const directory = build.plan.image.types.includes('raw')
    ? staging
    : path.join(run.tree.paths.imageDir, 'disk');
  await mkdir(directory, { recursive: true });
  return { directory, sourceDateEpoch: identity.sourceDate };
}

async function writeRawDisks(
  run: Run,
  { stage, disk, identity }: Image,
): Promise<DiskFiles | undefined> {
  if (disk === undefined) {
    return undefined;
  }
  const { context } = run.engine;
  const work = { ...(await diskWork(run, identity)), context };
  return await inStep({ step: 'disk', detail: 'Writing the disk from the tree' }, context, () =>
    writeDiskFiles(stage, disk, work),
  );
}

async function writeImages(
  run: Run,
  { disk, identity, size, key }: Image,
  disks: DiskFiles | undefined,
): Promise<void> {
  const { build } = run.order;
  const { plan } = build;
  const { context } = run.engine;
  const { staging } = run.order;
  const files = disks === undefined ? [] : [disks.main, ...disks.others.values()];
  await assertRoomForImages(
    { order: run.order, tree: run.tree.paths.targetRoot, disks: files, size },
    context,
  );
  const tree = {
    directory: run.tree.paths.targetRoot,
    hasDisk: disk !== undefined,
    epoch: identity.sourceDate,
    parts: run.tree.layersOfTree(),
  };
  const products = await collectProducts(
    { order: run.order, hooksDir: run.tree.paths.hooksDir },
    context,
  );
  await writeOutputs(
    {
      image: plan.image,
      products,
      tree: run.tree.paths.targetRoot,
      staging,
      mode: 0o666 & ~run.order.umask,
      ...identity,
      ...(disks === undefined ? {} : { rawDisk: disks.main, otherDisks: disks.others }),
      ...(wantsContainer(plan) ? { container: await containerImageOf(build, tree, context) } : {}),
      complete: async (finished) => {
        await run.tree.layers?.chain.assertOnDisk();
        const request = { order: run.order, tree: run.tree, disk, identity };
        // A disk in memory takes as long to remove as an image to copy: beside each other, and not when the build ends.
        await Promise.all([
          key === undefined ? undefined : keepFinished(request, { key, finished }, context),
          disks === undefined || plan.image.types.includes('raw')
            ? undefined
            : rm(disks.main, { force: true }),
        ]);
      },
    },
    context,
  );
}
