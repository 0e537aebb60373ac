/** What a failed build has got to, for `--resume`. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sha256 } from './digest.ts';
import type { LayerStore } from './store.ts';

export interface FailedBuild {
  /** Of the layers that it used and made, lowest first. */
  readonly keys: readonly string[];
  /** Where it failed. */
  readonly phase: string;
}

/** One per image and elements. */
function fileOf(store: LayerStore, image: string, elements: readonly string[]): string {
  const name = sha256([image, ...elements].join('\n')).slice(0, 32);
  return path.join(store.directory, '.resume', `${name}.json`);
}

/**
 * Remembers a failed build, or forgets it once the image has been built. One that used no other layers than the one
 * before, and fewer of them, has not got as far: somebody forgot `--resume`, and ended it. Then those stay.
 */
export async function rememberFailure(
  store: LayerStore,
  which: { readonly image: string; readonly elements: readonly string[] },
  failed: FailedBuild | undefined,
): Promise<void> {
  const file = fileOf(store, which.image, which.elements);
  if (failed === undefined) {
    await rm(file, { force: true });
    return;
  }
  const { keys: before = [] } = (await failedBuild(store, which)) ?? {};
  const known = new Set(before);
  const isShorter =
    failed.keys.length < before.length && failed.keys.every((key) => known.has(key));
  await mkdir(path.dirname(file), { recursive: true });
  // Two engines may have the same number, each in its own namespace.
  const fresh = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(fresh, JSON.stringify(isShorter ? { ...failed, keys: before } : failed));
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** The last build of this image, when it failed; with the layers that are still there. */
export async function failedBuild(
  store: LayerStore,
  which: { readonly image: string; readonly elements: readonly string[] },
): Promise<FailedBuild | undefined> {
  const text = await readFile(fileOf(store, which.image, which.elements), 'utf8').catch(() => '');
  if (text === '') {
    return undefined;
  }
  let failed: Partial<FailedBuild>;
  try {
    failed = JSON.parse(text) as Partial<FailedBuild>;
  } catch {
    // Cut short by a loss of power: then it is a build as always.
    return undefined;
  }
  const { keys = [], phase = '' } = failed;
  return { keys: keys.filter((key) => store.has(key)), phase };
}
