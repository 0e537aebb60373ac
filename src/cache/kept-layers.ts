/**
 * The layer of a container image, kept so that its archive is decompressed once and not for every
 * build: in a directory of its own, `LAYER-DIGEST.tar.zst` with a record (see `record.ts`), and
 * `index`, which says of which archive. zstd is read ten times as fast as xz.
 *
 * Kept is what is of an archive that was verified, and in one layer, as distributions publish theirs.
 * Two builds may keep the same at once: files are complete when they get their names.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseSha256, type Sha256 } from './checksum.ts';
import type { Layer } from './docker-archive.ts';
import { publish } from './publish.ts';
import { hashFile, readRecord, writeRecord } from './record.ts';

const INDEX = 'index';
const VERSION = 1;

/** A layer that was kept: the digest is of what is in the file, as the image has it. */
export type KeptLayer = Pick<Layer, 'file' | 'sha256'>;

/** Compresses `from` with zstd to the new file `to`; false where that cannot be done here. */
export type Compress = (from: string, to: string) => Promise<boolean>;

/** What was kept of the archive; undefined when nothing was, or either file is another one by now. */
export async function findKeptLayer(dir: string, archive: string): Promise<KeptLayer | undefined> {
  const [verified, index] = await Promise.all([readRecord(archive), readIndex(dir)]);
  if (verified === undefined || index?.archive !== verified.sha256) {
    return undefined;
  }
  const file = layerFile(dir, index.layer);
  return (await readRecord(file)) === undefined ? undefined : { file, sha256: index.layer };
}

/** Keeps the layer, unless the archive was not verified. What was kept of another one is removed. */
export async function keepLayer(
  places: { readonly dir: string; readonly archive: string; readonly layer: KeptLayer },
  compress: Compress,
  signal: AbortSignal,
): Promise<void> {
  const { dir, archive } = places;
  const verified = await readRecord(archive);
  const layer = parseSha256(places.layer.sha256);
  if (verified === undefined || layer === undefined) {
    return;
  }
  const file = layerFile(dir, layer);
  const making = path.join(dir, `.${layer}.${process.pid}`);
  try {
    const sha256 = (await compress(places.layer.file, making))
      ? await hashFile(making, signal)
      : undefined;
    if (sha256 === undefined) {
      return;
    }
    await publish(making, file);
    const { url, verifiedAt } = verified;
    await writeRecord(file, { sha256, url, verifiedAt });
    await writeIndex(dir, { archive: verified.sha256, layer });
  } finally {
    await rm(making, { force: true });
  }
  await removeOthers(dir, layer);
}

interface Index {
  readonly archive: Sha256;
  readonly layer: Sha256;
}

function layerFile(dir: string, layer: Sha256): string {
  return path.join(dir, `${layer}.tar.zst`);
}

async function readIndex(dir: string): Promise<Index | undefined> {
  const text = await readFile(path.join(dir, INDEX), 'utf8').catch(() => '');
  const found = /^(\d+) (\w+) (\w+)\n$/.exec(text);
  const [archive, layer] = [parseSha256(found?.[2] ?? ''), parseSha256(found?.[3] ?? '')];
  return Number(found?.[1]) === VERSION && archive !== undefined && layer !== undefined
    ? { archive, layer }
    : undefined;
}

async function writeIndex(dir: string, { archive, layer }: Index): Promise<void> {
  const making = path.join(dir, `.${INDEX}.${process.pid}`);
  await writeFile(making, `${VERSION} ${archive} ${layer}\n`);
  await rename(making, path.join(dir, INDEX));
}

async function removeOthers(dir: string, layer: Sha256): Promise<void> {
  for (const name of await readdir(dir)) {
    const [, other] = /^([0-9a-f]{64})\.tar\.zst(\.dib-verified)?$/.exec(name) ?? [];
    if (other !== undefined && other !== layer) {
      await rm(path.join(dir, name), { force: true });
    }
  }
}
