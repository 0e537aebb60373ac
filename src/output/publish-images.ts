/** Moves complete images, with their checksums, to where users look for them. */
import { chmod, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { publish } from '../cache/publish.ts';
import type { Context } from '../events/event.ts';
import type { ImagePlan } from '../plan/build-plan.ts';
import type { Format } from '../plan/formats.ts';
import { renameAside } from './old-image.ts';

/** A complete image under its temporary name. */
export interface Finished {
  readonly format: Format;
  readonly temporary: string;
  /** Files of sums beside `temporary`, named as it is with the sum's name behind. */
  readonly checksums: readonly string[];
  /** The path as the user gave it, with the suffix. */
  readonly shown: string;
}

/** Moves all of them into place; images that are there are renamed aside, or replaced. */
export async function publishImages(
  images: readonly Finished[],
  how: { readonly image: ImagePlan; readonly mode: number },
  context: Context,
): Promise<void> {
  const now = new Date();
  for (const image of images) {
    const final = path.resolve(how.image.cwd, image.shown);
    if (image.format.keepsOld && !how.image.overwrite) {
      await renameAside(final, now, context.emit);
    }
    await publishOne(image, final, how.mode);
    const { size } = await stat(final);
    context.emit({ kind: 'artifact', type: image.format.type, path: image.shown, sizeBytes: size });
  }
}

async function publishOne(image: Finished, final: string, mode: number): Promise<void> {
  // A sum of the old image beside the new one would be a lie.
  for (const name of ['md5', 'sha256']) {
    await rm(`${final}.${name}`, { force: true });
  }
  await chmod(image.temporary, mode);
  await publish(image.temporary, final);
  for (const checksum of image.checksums) {
    await chmod(checksum, mode);
    await publish(checksum, `${final}${path.extname(checksum)}`);
  }
}
