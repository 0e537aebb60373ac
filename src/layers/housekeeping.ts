/** Removing from the store what may be removed, and looking whether the rest is whole. */
import { mkdtemp, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { removeTree } from '../sandbox/remove-tree.ts';
import { announceBuild, lookAtBuilds, removeFreeLocks } from './builds.ts';
import { hasMark, markOfBuild, ownersOf, ownMark } from './owner-mark.ts';
import { chooseVictims, type PruneRule, passedOver, type Removable, standingOn } from './prune.ts';
import { isKey } from './record.ts';
import { isTorn, type LayerStore, measureTree, type StoredLayer } from './store.ts';

/** One layer or one set of finished images, as `ls` shows it. */
export interface Entry extends Removable {
  readonly layer: StoredLayer | undefined;
  readonly inUse: boolean;
}

/** Everything in the store. Images count as standing on nothing: they are whole by themselves. */
export async function listEntries(store: LayerStore, context: Context): Promise<readonly Entry[]> {
  await using _lock = await store.lock('shared', context);
  const entries = await entriesOf(store);
  const { inUse } = await lookAtBuilds(store, context);
  return entries.map((entry) => ({ ...entry, inUse: inUse.has(entry.key) }));
}

/**
 * Whose builds are alive is asked afterwards: a build writes down what it uses before it publishes it, so that
 * no layer that is listed here is missed there.
 */
async function entriesOf(store: LayerStore): Promise<readonly Listed[]> {
  const layers = await allLayers(store);
  const lost = passedOver(
    layers.map(({ key, directory, record }) => ({
      key,
      parent: record.parent,
      createdMs: Date.parse(record.created),
      isTorn: isTorn(directory),
      owners: ownersOf(directory),
    })),
  );
  const images = await readdir(store.images).catch(() => []);
  return [
    ...(await Promise.all(
      layers.map(async (layer) => ({
        key: layer.key,
        parent: layer.record.parent,
        sizeBytes: layer.record.sizeBytes,
        usedMs: (await stat(path.join(layer.directory, 'layer.json'))).mtimeMs,
        isPassedOver: lost.has(layer.key),
        layer,
      })),
    )),
    ...(await Promise.all(
      images.map(async (name) => ({
        key: imageKey(name),
        parent: '',
        sizeBytes: await sizeOfFiles(path.join(store.images, name)),
        usedMs: (await stat(path.join(store.images, name))).mtimeMs,
        isPassedOver: false,
        layer: undefined,
      })),
    )),
  ];
}

/** The kernel may list a layer that is just published, and not the one below it, which was so before. */
async function allLayers(store: LayerStore): Promise<readonly StoredLayer[]> {
  const found = new Map<string, StoredLayer>();
  let keys = await store.keys();
  while (keys.length > 0) {
    const layers = await Promise.all(keys.map((key) => store.read(key)));
    for (const layer of layers.filter((each) => each !== undefined)) {
      found.set(layer.key, layer);
    }
    const parents = layers.map((layer) => layer?.record.parent ?? '');
    keys = [...new Set(parents)].filter((key) => key !== '' && !found.has(key));
  }
  return [...found.values()];
}

/** What finished images are called beside layers. */
export function imageKey(name: string): string {
  return `.images/${name}`;
}

async function sizeOfFiles(directory: string): Promise<number> {
  const names = await readdir(directory);
  const found = await Promise.all(names.map((name) => stat(path.join(directory, name))));
  return found.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

export interface Pruned {
  readonly removed: readonly Removable[];
  /** Directories of dead builds. */
  readonly dead: readonly string[];
  readonly leftBytes: number;
}

/** What to remove: by age and budget, and in any case what is `named`, with what stands on it. */
export type Wish = Omit<PruneRule, 'inUse'> & { readonly named?: ReadonlySet<string> };

/** Removes that, and what dead builds left. Never what a running build uses. */
export async function pruneStore(
  store: LayerStore,
  { named = new Set(), ...rule }: Wish,
  context: Context,
): Promise<Pruned> {
  await using lock = await store.lock('exclusive', context);
  const entries = standingOn(named, await entriesOf(store));
  const { inUse, dead } = await lookAtBuilds(store, context);
  await removeFreeLocks(store, context);
  const choose = (among: typeof entries): readonly string[] =>
    chooseVictims(among, { ...rule, inUse });
  const victims = choose(entries).length === 0 ? [] : choose(await removable(entries, context));
  await using trash = await moveAway(
    [...dead, ...victims.map((key) => store.pathOf(key))],
    store,
    context,
  );
  // Nobody can choose them any more: deleting may take its time.
  await lock[Symbol.asyncDispose]();
  await trash.empty();
  const gone = new Set(victims);
  return {
    removed: entries.filter(({ key }) => gone.has(key)),
    dead,
    leftBytes: entries.reduce((sum, each) => sum + (gone.has(each.key) ? 0 : each.sizeBytes), 0),
  };
}

type Listed = Omit<Entry, 'inUse'>;

/** Only root can remove the files of others: they are neither chosen nor counted. */
async function removable(entries: readonly Listed[], context: Context): Promise<readonly Listed[]> {
  const mark = await markOfBuild(context);
  return mark === undefined
    ? entries
    : entries.filter(({ layer }) => layer === undefined || hasMark(layer.directory, mark));
}

/** Directories on their way out: to be killed meanwhile leaves what a dead build leaves. */
interface Trash extends AsyncDisposable {
  empty(): Promise<void>;
}

async function moveAway(
  directories: readonly string[],
  store: LayerStore,
  context: Context,
): Promise<Trash> {
  if (directories.length === 0) {
    return { empty: async () => {}, [Symbol.asyncDispose]: async () => {} };
  }
  const trash = await mkdtemp(path.join(store.builds, 'trash.'));
  const alive = await announceBuild(trash, context);
  for (const [index, directory] of directories.entries()) {
    await rename(directory, path.join(trash, String(index))).catch(ignoreMissing);
  }
  return {
    empty: () => removeTree(trash, context),
    [Symbol.asyncDispose]: () => alive[Symbol.asyncDispose](),
  };
}

/** What a killed build left may be removed by its reaper. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}

/** `name` is a layer's key, or that of something else that lies there. */
export interface Fault {
  readonly name: string;
  readonly what: string;
}

export interface Faults {
  readonly checked: number;
  /** Of builds that give files other owners: what is in them cannot be told from here. */
  readonly others: number;
  readonly faults: readonly Fault[];
  /** Left by builds that were killed; `prune` removes them. */
  readonly dead: readonly string[];
}

/** Whether every layer is what it was when it was published. */
export async function checkStore(store: LayerStore, context: Context): Promise<Faults> {
  await using _lock = await store.lock('shared', context);
  const { dead } = await lookAtBuilds(store, context);
  const keys = await store.keys();
  const faults: Fault[] = [];
  const mark = ownMark();
  const ours = keys.filter((key) => hasMark(store.pathOf(key), mark));
  for (const key of ours) {
    const what = await faultOf(store, key, context);
    if (what !== undefined) {
      faults.push({ name: key, what });
    }
  }
  const names = await readdir(store.directory).catch(() => []);
  const known = ['.builds', '.images', '.lock', '.locks', '.resume'];
  for (const name of names.filter((each) => !isKey(each) && !known.includes(each))) {
    faults.push({ name, what: 'not a layer, and nothing of ours: remove it, or move it away' });
  }
  return { checked: ours.length, others: keys.length - ours.length, faults, dead };
}

async function faultOf(
  store: LayerStore,
  key: string,
  context: Context,
): Promise<string | undefined> {
  const layer = await store.read(key);
  if (layer === undefined) {
    return 'it has no readable layer.json';
  }
  const { record, directory } = layer;
  if (record.key !== key) {
    return `its layer.json is that of ${record.key}`;
  }
  if (record.parent !== '' && (await store.read(record.parent)) === undefined) {
    return `the layer below it is gone: ${record.parent}`;
  }
  const now = await measureTree(path.join(directory, 'tree'), context).catch(() => undefined);
  if (now === undefined) {
    return 'its tree cannot be read';
  }
  return now.listing === record.listing
    ? undefined
    : `its tree was changed: ${now.entries} entries, ${record.entries} when it was made`;
}
