/** The layer store as the verbs of `dibkit cache` see it: where it is, whether it is there, which keys it has. */
import { readdir, stat } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { usageError } from '../events/failure.ts';
import { imageKey } from '../layers/housekeeping.ts';
import { LayerStore } from '../layers/store.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { ownEnvironment, toolEnvironment } from './host-facts.ts';
import { imageCacheDirectory } from './image-cache.ts';

/** A store that may not be there yet. */
export interface Opened {
  readonly store: LayerStore;
  readonly isThere: boolean;
}

/** The store; to look at it does not make it. @throws Failed `usage`, `host` */
export async function openStore(imageCache: string | undefined): Promise<Opened> {
  const store = new LayerStore(imageCacheDirectory(imageCache));
  const found = await stat(store.directory).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error && found.code === 'ENOENT') {
    return { store, isThere: false };
  }
  if (found instanceof Error ? found.code === 'ENOTDIR' : !found.isDirectory()) {
    throw usageError(
      `Cannot look for layers in '${store.directory}': it is no directory`,
      'Name another one with --image-cache or DIB_IMAGE_CACHE',
    );
  }
  await store.make(storeContext());
  return { store, isThere: true };
}

/** The end of what is said of an empty store. */
export function absent({ store, isThere }: Opened): string {
  return isThere ? '' : `: there is no '${store.directory}' yet`;
}

export function storeContext(): Context {
  return {
    emit: (event) => {
      // Whoever waits is told for whom.
      if (event.kind === 'lock-wait') {
        process.stderr.write(`Waiting for ${event.path}: ${event.holder}\n`);
      }
    },
    signal: new AbortController().signal,
    toolEnvironment: toolEnvironment(toolPath(ownEnvironment().PATH)),
  };
}

/** Of layers and finished images, as `ls` lists them. */
export async function keysOf(store: LayerStore): Promise<readonly string[]> {
  const images = await readdir(store.images).catch(() => []);
  return [...(await store.keys()), ...images.map(imageKey)];
}

const SHOWN_KEYS = 8;

/** The only one that begins like that. @throws Failed `usage` */
export function oneKey(prefix: string, keys: readonly string[], store: LayerStore): string {
  const found = keys.includes(prefix) ? [prefix] : keys.filter((key) => key.startsWith(prefix));
  const [key] = found;
  if (key === undefined) {
    throw usageError(
      `There is no layer '${prefix}' in '${store.directory}'`,
      'dibkit cache ls lists them',
    );
  }
  if (found.length > 1) {
    const more = found.length - SHOWN_KEYS;
    const shown = [...found.slice(0, SHOWN_KEYS), ...(more > 0 ? [`${more} more`] : [])];
    throw usageError(
      `'${prefix}' could be any of ${shown.join(', ')}`,
      'dibkit cache ls lists them',
    );
  }
  return key;
}
