/**
 * Finished images, kept for a build that would make the same ones again. Copied in and out: what a user
 * does to an image afterwards must not be done to ours. Where the file system can share blocks, it does.
 */
import { mkdir, mkdtemp, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';
import type { LayerStore } from './store.ts';

/** Takes a file of one format out of the store; false when it is not there. */
export async function takeImage(
  store: LayerStore,
  image: { readonly key: string; readonly type: string; readonly to: string },
  context: Context,
): Promise<boolean> {
  const from = path.join(store.images, image.key, image.type);
  if ((await stat(from).catch(() => undefined)) === undefined) {
    return false;
  }
  await copy(from, image.to, context);
  const now = new Date();
  await utimes(path.dirname(from), now, now);
  return true;
}

/** Puts files into the store, by format. It is no fault when there is no room for them. */
export async function keepImages(
  store: LayerStore,
  images: {
    readonly key: string;
    readonly files: ReadonlyMap<string, string>;
    readonly work: string;
  },
  context: Context,
): Promise<void> {
  const place = path.join(store.images, images.key);
  await mkdir(place, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(path.join(images.work, 'image.'));
  try {
    for (const [type, file] of images.files) {
      const temporary = path.join(work, type);
      await copy(file, temporary, context);
      await rename(temporary, path.join(place, type));
    }
  } catch (error) {
    context.signal.throwIfAborted();
    const text = `The images are not kept for the next build: ${(error as Error).message}`;
    context.emit({ kind: 'message', level: 'warning', text });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function copy(from: string, to: string, context: Context): Promise<void> {
  const argv = ['cp', '--reflink=auto', '--sparse=always', '--no-target-directory', from, to];
  await runTool(argv as [string, ...string[]], context, { announce: false });
}
