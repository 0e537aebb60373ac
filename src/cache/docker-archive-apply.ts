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

/** What unpacking needs of the host. */
export type UnpackHost = ArchiveReader & ExtractionHost;

/**
 * Unpacks the image in `archive` into the existing directory `root`; `spool` is an empty directory
 * that holds the layers for the time of that.
 *
 * @returns the layers' digests, lowest first
 * @throws Failed as `readImageArchive` and `extractArchive` do
 */
export async function unpackImage(
  places: { readonly archive: string; readonly root: string; readonly spool: string },
  host: UnpackHost,
): Promise<readonly string[]> {
  const { archive, root, spool } = places;
  const members = await readImageArchive(archive, spool, host);
  const layers = await chooseLayers(members, archive);
  for (const [index, layer] of layers.entries()) {
    const markers = index === 0 ? [] : await makeRoomFor(layer, root);
    await extractArchive(layer.file, root, host);
    for (const marker of markers) {
      await rm(await insideRoot(root, marker), { force: true });
    }
  }
  return layers.map(({ sha256 }) => sha256);
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
