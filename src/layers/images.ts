/**
 * Finished images, kept for a build that would make the same ones again. Copied in and out: what a user
 * does to an image afterwards must not be done to ours. Where the file system can share blocks, it does.
 */
import { type FileHandle, mkdir, mkdtemp, open, rename, rm, utimes } from 'node:fs/promises';
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
  const place = path.join(store.images, image.key);
  // First: who has to make room takes others, then.
  const now = new Date();
  await utimes(place, now, now).catch(() => {});
  // What is open can be read to its end, whoever removes it meanwhile.
  const file = await openIfThere(path.join(place, image.type));
  if (file === undefined) {
    return false;
  }
  try {
    await copy(`/proc/${process.pid}/fd/${file.fd}`, image.to, context);
    return true;
  } finally {
    await file.close();
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
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
  try {
    const work = await mkdtemp(path.join(images.work, 'image.'));
    try {
      for (const [type, file] of images.files) {
        const temporary = path.join(work, type);
        await copy(file, temporary, context);
        // Only now: an empty directory would be the first that somebody removes.
        await mkdir(place, { recursive: true, mode: 0o700 });
        await rename(temporary, path.join(place, type));
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  } catch (error) {
    context.signal.throwIfAborted();
    const text = `The images are not kept for the next build: ${(error as Error).message}`;
    context.emit({ kind: 'message', level: 'warning', text });
  }
}

async function copy(from: string, to: string, context: Context): Promise<void> {
  const argv = ['cp', '--reflink=auto', '--sparse=always', '--no-target-directory', from, to];
  await runTool(argv as [string, ...string[]], context, { announce: false });
}
