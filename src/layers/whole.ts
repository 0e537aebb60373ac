/**
 * Whether a layer survived a loss of power. Those that are copied into the store are there before they are flushed to
 * the disk: after the machine has started anew, each is looked at once before it is used. File systems that order data
 * before sizes (ext4, xfs, btrfs) show a file that was lost in the listing. What was made in the store is flushed at the
 * end of the build, or is not used.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ownIdentity } from '../cache/identity.ts';
import type { Context } from '../events/event.ts';
import { isUnsynced, measureTree, type StoredLayer, tornMark } from './store.ts';

/** The boot that a layer is made in. */
export async function currentBoot(): Promise<string> {
  return (await ownIdentity()).boot;
}

/** Whether the tree of a layer is what it was when it was made; one that is not is never used again. */
export async function isWhole(layer: StoredLayer, context: Context): Promise<boolean> {
  const boot = await currentBoot();
  const seen = path.join(layer.directory, 'whole');
  if (layer.record.boot === boot || (await readFile(seen, 'utf8').catch(() => '')) === boot) {
    return true;
  }
  const isIntact = !isUnsynced(layer.directory) && (await isAsListed(layer, context));
  await writeFile(isIntact ? seen : tornMark(layer.directory), boot).catch(() => {
    // No room: the next build looks at it again.
  });
  return isIntact;
}

async function isAsListed({ directory, record }: StoredLayer, context: Context): Promise<boolean> {
  const now = await measureTree(path.join(directory, 'tree'), context).catch(() => undefined);
  context.signal.throwIfAborted();
  return now?.listing === record.listing;
}
