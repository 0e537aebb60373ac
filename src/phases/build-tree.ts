/** The target root of a build: on layers, where they are kept and the kernel can stack them, else by itself. */
import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { TreeSize } from '../disk/room.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { LayerChain } from '../layers/chain.ts';
import type { ChainRequest } from '../layers/chain-request.ts';
import type { TreeLayers } from '../layers/finished.ts';
import { type OwnerMark, ownMark } from '../layers/owner-mark.ts';
import { LayerStore } from '../layers/store.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { outputDirectory } from '../plan/output-directory.ts';
import { mount, unmountBelow } from '../sandbox/mounts.ts';
import { killStragglers } from '../sandbox/stragglers.ts';
import { mayRunPrograms, mountThrowawayTree, openWorkTree } from '../sandbox/work-tree.ts';
import type { BuildPaths } from './environment.ts';
import type { LayerSetup } from './layer-setup.ts';
import { readBuildInputs } from './phase-inputs.ts';
import { PhaseLayers } from './phase-layers.ts';
import type { PreparedBuild } from './prepare.ts';
import type { EngineOrder } from './protocol.ts';
import type { PhaseName } from './table.ts';
import { HOOKS_COPY } from './target-hooks.ts';

export class BuildTree {
  readonly paths: BuildPaths;
  readonly layers: PhaseLayers | undefined;
  readonly #outerNamespace: string;

  constructor(paths: BuildPaths, layers: PhaseLayers | undefined, outerNamespace: string) {
    this.paths = paths;
    this.layers = layers;
    this.#outerNamespace = outerNamespace;
  }

  /** Mounts the tree, if it has not been needed so far. */
  async mount(context: Context): Promise<void> {
    await this.layers?.begin(context);
  }

  /** Nothing runs in the tree and nothing is mounted in it: what comes next reads it as it is. */
  async close(context: Context): Promise<void> {
    await this.stop(context);
    // Of a file system that a hook has mounted there; only ever empty.
    await rmdir(path.join(this.paths.targetRoot, 'lost+found')).catch(() => {});
  }

  /** The same, and nothing in the tree is touched. */
  async stop(context: Context): Promise<void> {
    killStragglers(this.#outerNamespace);
    this.layers?.chain.forgetBinds();
    await unmountBelow(this.paths.targetRoot, context);
  }

  /** The same place, when something else than the layers is mounted there. */
  withoutLayers(): BuildTree {
    return new BuildTree(this.paths, undefined, this.#outerNamespace);
  }

  /** The size of the tree: as measured once, where nothing has been changed since. */
  async size(measure: () => Promise<TreeSize>, context: Context): Promise<TreeSize> {
    const chain = this.layers?.chain;
    const known = await chain?.knownSize();
    if (known !== undefined) {
      return known;
    }
    await this.mount(context);
    const measured = await measure();
    chain?.noteSize(measured);
    return measured;
  }

  /** The tree in its parts, while it is mounted; undefined where it is a plain directory. */
  layersOfTree(): TreeLayers | undefined {
    return this.layers?.chain.parts;
  }
}

/** The paths of a build, with its work directories mounted. */
export async function openPaths(order: EngineOrder, context: Context): Promise<WorkPaths> {
  const { buildDir, imageDir } = order;
  const { noTmpfs, minTmpfs } = order.build.plan.work;
  const work = await openWorkTree({ buildDir, imageDir, noTmpfs, minTmpfs }, context);
  const hooksDir = path.join(buildDir, 'hooks');
  if (!work.inMemory && (order.layersDir !== undefined || !mayRunPrograms(buildDir))) {
    // A file system of the host may be mounted `noatime`: there it is not known what was read. Or `noexec`.
    await mkdir(hooksDir);
    const options = 'mode=755,strictatime';
    await mount({ source: 'tmpfs', target: hooksDir, type: 'tmpfs', options }, context);
  }
  return { buildDir, imageDir, hooksDir, ...work };
}

/** Where a build works, and whether that is in memory. */
export type WorkPaths = BuildPaths & { readonly inMemory: boolean };

/**
 * Opens the chain of layers, once the work directories are mounted; the hook tree may be put there meanwhile.
 * Undefined where no overlay can be mounted, or nothing is to be kept.
 */
export async function openChain(
  { build, layersDir, resumed }: EngineOrder,
  { inMemory, ...paths }: WorkPaths,
  context: Context,
): Promise<LayerChain | undefined> {
  if (layersDir === undefined) {
    return undefined;
  }
  const request = chainRequest(build, paths, {
    build: layersDir,
    resumed,
    inMemory,
    mark: ownMark(),
  });
  const chain = await LayerChain.open(request, context);
  if (chain === undefined) {
    const text = `No overlay can be mounted on '${request.store.directory}': nothing is reused or kept`;
    context.emit({ kind: 'message', level: 'warning', text });
  }
  return chain;
}

/** Opens the tree; the hook tree has been assembled. */
export async function openBuildTree(
  order: EngineOrder,
  hooks: {
    readonly tree: HookTree;
    readonly paths: WorkPaths;
    readonly chain: Promise<LayerChain | undefined>;
  },
  context: Context,
): Promise<BuildTree> {
  const { inMemory, ...paths } = hooks.paths;
  const layers = await openLayers(order, { ...hooks, paths });
  if (layers === undefined && !inMemory) {
    await mountThrowawayTree(paths.buildDir, paths.targetRoot, context);
  }
  return new BuildTree(paths, layers, order.outerNamespace);
}

async function openLayers(
  order: EngineOrder,
  hooks: {
    readonly tree: HookTree;
    readonly paths: BuildPaths;
    readonly chain: Promise<LayerChain | undefined>;
  },
): Promise<PhaseLayers | undefined> {
  if (order.layersDir === undefined) {
    return undefined;
  }
  // Reads all files of the hook tree, while it is found out what can be mounted.
  const setup = layerSetup(order.build, hooks);
  const chain = await hooks.chain;
  if (chain === undefined) {
    return undefined;
  }
  return new PhaseLayers({ ...setup, chain });
}

/**
 * What a chain of layers has to know of a build. `build`: its directory in the store. `inMemory`: the work
 * directory is.
 */
export function chainRequest(
  { plan }: PreparedBuild,
  paths: BuildPaths,
  of: {
    readonly build: string;
    readonly resumed: readonly string[];
    readonly mark: OwnerMark;
    readonly inMemory?: boolean;
  },
): ChainRequest {
  const store = new LayerStore(path.resolve(plan.image.cwd, plan.work.imageCache));
  const { buildDir, targetRoot, hooksDir } = paths;
  const runPaths = pathsOfRun(plan, paths);
  return {
    store,
    place: {
      build: of.build,
      targetRoot,
      runPaths,
      passing: [path.join(buildDir, 'layers'), path.join(buildDir, HOOKS_COPY)],
      ...(of.inMemory === true ? { memory: path.join(buildDir, 'layers') } : {}),
    },
    minMemoryKiB: plan.work.minTmpfs * 1024 * 1024,
    rules: {
      version: plan.version,
      arch: plan.arch,
      maxAgeMs: plan.cache.maxAgeHours * 3_600_000,
      resumed: new Set(of.resumed),
      mark: of.mark,
    },
    hooksDir,
    image: plan.image.name,
  };
}

/** What phases on layers have to know of a build whose hook tree has been assembled. */
export function layerSetup(
  { plan, elements }: PreparedBuild,
  { tree, paths }: { readonly tree: HookTree; readonly paths: BuildPaths },
): Omit<LayerSetup, 'chain'> {
  return {
    build: readBuildInputs(tree, elements, paths.hooksDir),
    tree,
    elements,
    runPaths: pathsOfRun(plan, paths),
    hooksCopy: path.join(paths.buildDir, HOOKS_COPY),
    beside: { directory: outputDirectory(plan), image: path.basename(plan.image.name) },
    ...(plan.cache.from === undefined ? {} : { from: plan.cache.from as PhaseName }),
  };
}

/** Paths that are others in every run, or on every machine, and what stands for them. */
function pathsOfRun(plan: BuildPlan, paths: BuildPaths): ReadonlyMap<string, string> {
  const cache = path.resolve(plan.image.cwd, plan.work.imageCache);
  return new Map([
    [paths.buildDir, '{build}'],
    [paths.imageDir, '{image}'],
    [cache, '{cache}'],
  ]);
}
