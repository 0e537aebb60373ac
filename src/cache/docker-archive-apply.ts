/**
 * Puts the layers of a container image over each other in a directory.
 *
 * GNU tar writes the files, in a cell (see `extract.ts`). What an upper layer takes away is removed
 * before that; no link in the tree leads such a removal out of it.
 */
import { lstat, readdir, readFile, readlink, rm } from 'node:fs/promises';
import path from 'node:path';
import { list } from 'tar';
import {
  fileMember,
  type Layer,
  layersOf,
  type Members,
  memberName,
  onlyLayer,
  parseDiffIds,
  parseManifest,
} from './docker-archive.ts';
import { type ArchiveReader, readImageArchive } from './docker-archive-read.ts';
import { isMarker, type Removal, removalFor } from './docker-archive-whiteouts.ts';
import { type ExtractionHost, extractArchive } from './extract.ts';
import { type Compress, findKeptLayer, keepLayer } from './kept-layers.ts';

/** What unpacking needs of the host. */
export interface UnpackHost extends ArchiveReader, ExtractionHost {
  readonly compress: Compress;
  readonly signal: AbortSignal;
}

export interface UnpackPlaces {
  readonly archive: string;
  /** An existing directory. */
  readonly root: string;
  /** An empty directory, which holds the layers for the time of this. */
  readonly spool: string;
  /** An existing directory, for what saves work the next time; see `kept-layers.ts`. */
  readonly keep?: string;
}

/** The digests of the layers, lowest first, and whether they had been kept. */
export interface Unpacked {
  readonly digests: readonly string[];
  readonly kept: boolean;
}

/**
 * Unpacks the image in an archive.
 *
 * @throws Failed as `readImageArchive` and `extractArchive` do
 */
export async function unpackImage(places: UnpackPlaces, host: UnpackHost): Promise<Unpacked> {
  const { archive, root, spool, keep } = places;
  const kept = keep === undefined ? undefined : await findKeptLayer(keep, archive);
  if (kept !== undefined) {
    await extractArchive(kept.file, root, host);
    return { digests: [kept.sha256], kept: true };
  }
  const members = await readImageArchive(archive, spool, host);
  const layers = await chooseLayers(members, archive);
  const [layer, ...more] = layers;
  // One core compresses while another one writes the tree.
  await settled([
    applyLayers(layers, root, host),
    ...(keep === undefined || layer === undefined || more.length > 0
      ? []
      : [keepLayer({ dir: keep, archive, layer }, host.compress, host.signal)]),
  ]);
  return { digests: layers.map(({ sha256 }) => sha256), kept: false };
}

/** Waits for all of them: the files that they use are removed afterwards. @throws what the first did */
async function settled(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'rejected') {
      throw result.reason;
    }
  }
}

async function applyLayers(
  layers: readonly Layer[],
  root: string,
  host: UnpackHost,
): Promise<void> {
  for (const [index, layer] of layers.entries()) {
    const markers = index === 0 ? [] : await makeRoomFor(layer, root);
    await extractArchive(layer.file, root, host);
    for (const marker of markers) {
      await rm(await insideRoot(root, marker), { force: true });
    }
  }
}

async function chooseLayers(members: Members, archive: string): Promise<readonly Layer[]> {
  if (!members.has('manifest.json')) {
    return layersOf(members, { layers: [onlyLayer(members, archive)], diffIds: [] }, archive);
  }
  const textOf = async (name: string): Promise<string> =>
    readFile(fileMember(members, name, archive).file, 'utf8');
  const { config, layers } = parseManifest(await textOf('manifest.json'), archive);
  const diffIds = config === '' ? [] : parseDiffIds(await textOf(config), archive);
  return layersOf(members, { layers, diffIds }, archive);
}

/** Removes what `layer` takes away or replaces; returns its markers, which are not to stay. */
async function makeRoomFor(layer: Layer, root: string): Promise<readonly string[]> {
  const removals: Removal[] = [];
  const markers: string[] = [];
  await list({
    file: layer.file,
    onReadEntry: (entry) => {
      const name = memberName(entry.path) ?? '.';
      if (isMarker(name)) {
        markers.push(name);
      }
      const removal = removalFor(name, entry.type === 'Directory');
      if (removal !== undefined) {
        removals.push(removal);
      }
    },
  });
  for (const removal of removals) {
    await remove(removal, root);
  }
  return markers;
}

async function remove({ kind, name }: Removal, root: string): Promise<void> {
  const place = await insideRoot(root, name);
  const found = await lstat(place).catch(() => undefined);
  if (found === undefined || (kind !== 'entry' && !found.isDirectory())) {
    return;
  }
  if (kind !== 'content') {
    await rm(place, { recursive: true, force: true });
    return;
  }
  for (const entry of await readdir(place)) {
    await rm(path.join(place, entry), { recursive: true, force: true });
  }
}

/** How many links may be on the way to a name. Source: path_resolution(7). */
const MOST_LINKS = 40;

/**
 * The place of a name below `root` as seen from inside: links on the way, absolute or not, are
 * followed as if `root` were /. The last part is taken as it is.
 */
async function insideRoot(root: string, name: string): Promise<string> {
  const ahead = partsOf(name);
  let way: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.shift() ?? '';
    const asItIs = part === '..' || ahead.length === 0 || links === MOST_LINKS;
    const target = asItIs ? undefined : await linkTarget(path.join(root, ...way, part));
    if (target !== undefined) {
      links += 1;
      way = target.startsWith('/') ? [] : way;
      ahead.unshift(...partsOf(target));
    } else if (part === '..') {
      way.pop();
    } else {
      way.push(part);
    }
  }
  return path.join(root, ...way);
}

function partsOf(name: string): string[] {
  return name.split('/').filter((part) => part !== '' && part !== '.');
}

async function linkTarget(place: string): Promise<string | undefined> {
  return readlink(place).catch(() => undefined);
}
