/** The command's side of the layer store: a place for the build, what it resumes, what goes afterwards. */
import path from 'node:path';
import type { Context, Emit } from '../events/event.ts';
import { announceBuild } from '../layers/builds.ts';
import { pruneStore } from '../layers/housekeeping.ts';
import { type FailedBuild, failedBuild } from '../layers/resume.ts';
import { LayerStore } from '../layers/store.ts';
import { type PreparedBuild, whichBuild } from '../phases/prepare.ts';
import type { EngineOrder } from '../phases/protocol.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import type { Reaper } from '../sandbox/reaper.ts';
import type { Scope } from '../sandbox/scope.ts';
import { makeWorkDir } from '../sandbox/work-dir.ts';

export interface BuildCache {
  readonly order: Pick<EngineOrder, 'layersDir' | 'resumed'>;
  /** Keeps the store within its budget, after a build that has succeeded. */
  readonly tidy: () => Promise<void>;
}

/** The store of a build. */
export function storeOf(plan: BuildPlan): LayerStore {
  return new LayerStore(path.resolve(plan.image.cwd, plan.work.imageCache));
}

export async function openBuildCache(
  build: PreparedBuild,
  owner: { readonly scope: Scope; readonly reaper: Reaper },
  io: { readonly emit: Emit; readonly environment: Readonly<Record<string, string>> },
): Promise<BuildCache> {
  const { plan } = build;
  if (plan.cache.off) {
    return { order: { resumed: [] }, tidy: async () => {} };
  }
  const context: Context = {
    emit: io.emit,
    signal: new AbortController().signal,
    toolEnvironment: io.environment,
  };
  const store = storeOf(plan);
  await store.make(context);
  const layersDir = await announced(store, owner, context);
  const resumed = await resumedKeys(build, store, io.emit);
  return {
    order: { layersDir, resumed },
    tidy: async () => {
      const budgetBytes = plan.cache.sizeGiB * 2 ** 30;
      const { removed } = await pruneStore(store, { budgetBytes }, context);
      const unused = removed.filter(({ isPassedOver }) => !isPassedOver);
      if (unused.length > 0) {
        const text = `Removed ${unused.length} layers that were not used for long: the store is to have at most ${plan.cache.sizeGiB} GiB (--cache-size)`;
        io.emit({ kind: 'message', level: 'info', text });
      }
    },
  };
}

/** Under the store's lock: whoever removes what dead builds left must not take it for one. */
async function announced(
  store: LayerStore,
  owner: { readonly scope: Scope; readonly reaper: Reaper },
  context: Context,
): Promise<string> {
  await using _lock = await store.lock('shared', context);
  const place = { parent: store.builds, prefix: 'build.' };
  const directory = await store.orRefusal(() => makeWorkDir(place, owner.reaper));
  owner.scope.use(await announceBuild(directory, context));
  return directory;
}

async function resumedKeys(
  build: PreparedBuild,
  store: LayerStore,
  emit: Emit,
): Promise<readonly string[]> {
  const { plan } = build;
  if (!plan.cache.resume) {
    return [];
  }
  const failed = await failedBuild(store, whichBuild(build));
  const text = resumeText(plan.image.name, failed);
  emit({ kind: 'message', level: 'info', text });
  return failed?.keys ?? [];
}

/** What `--resume` finds. */
export function resumeText(image: string, failed: FailedBuild | undefined): string {
  if (failed === undefined) {
    return `There is no failed build of ${image} with these elements to resume: building as always`;
  }
  return failed.keys.length === 0
    ? `Nothing is kept of the build of ${image} that failed in ${failed.phase}: building as always`
    : `Resuming the build that failed in ${failed.phase}`;
}
