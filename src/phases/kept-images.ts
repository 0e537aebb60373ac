/** Images of an earlier build of the same layers, disk and settings: copied instead of made again. */
import path from 'node:path';
import type { DiskPlan } from '../disk/layout.ts';
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import { digestOf } from '../layers/digest.ts';
import { keepImages, takeImage } from '../layers/images.ts';
import { digestsOf } from '../output/checksum.ts';
import { type Finished, publishImages } from '../output/publish-images.ts';
import { fileName, formatsOf } from '../plan/formats.ts';
import type { BuildTree } from './build-tree.ts';
import type { ImageIdentity } from './image-identity.ts';
import { collectProducts } from './products.ts';
import type { EngineOrder } from './protocol.ts';

export interface ImageRequest {
  readonly order: EngineOrder;
  readonly tree: BuildTree;
  readonly disk: DiskPlan | undefined;
  readonly identity: ImageIdentity;
}

/** What the images follow from; undefined where not all of it is in the store, or nothing is gained. */
export function imagesKey({ order, tree, disk, identity }: ImageRequest): string | undefined {
  if ((disk?.images.length ?? 0) > 1) {
    // They are kept by their formats, one of each.
    return undefined;
  }
  const chain = tree.layers?.chain;
  if (chain?.identity === undefined || chain.broken !== undefined || chain.mounted) {
    return undefined;
  }
  const { plan, container } = order.build;
  const { compress, qemuImgOptions, gzip, types } = plan.image;
  if (types.length > 0 && types.every((type) => type === 'tar')) {
    // To copy it takes as long as to make it from the layers.
    return undefined;
  }
  return digestOf({
    tree: chain.identity,
    version: plan.version,
    disk,
    identity,
    image: { compress, qemuImgOptions, gzip },
    container: [container, plan.container, plan.requested],
    zstd: plan.environment.ZSTD_CLEVEL,
  });
}

/** Copies all images that are wanted out of the store and publishes them; false when one is not there. */
export async function publishKept(
  request: ImageRequest,
  key: string,
  context: Context,
): Promise<boolean> {
  const { order, tree, disk } = request;
  const { image } = order.build.plan;
  const store = tree.layers?.chain.store;
  if (store === undefined) {
    return false;
  }
  const formats = formatsOf(image.types).filter(
    ({ source }) => source === 'tree' || disk !== undefined,
  );
  const what = { step: 'reuse images', detail: 'Looking for the same images in the layer store' };
  return inStep(what, context, async () => {
    const finished: Finished[] = [];
    for (const format of formats) {
      const temporary = path.join(order.staging, fileName('image', format));
      if (!(await takeImage(store, { key, type: format.type, to: temporary }, context))) {
        return false;
      }
      const shown = fileName(image.name, format);
      const checksums =
        image.checksums.length === 0
          ? []
          : await (await digestsOf(temporary, image.checksums)).write(temporary, shown);
      finished.push({ format, temporary, shown, checksums });
    }
    const products = await collectProducts({ order, hooksDir: tree.paths.hooksDir }, context);
    const how = { image, mode: 0o666 & ~order.umask };
    await publishImages([...finished, ...products], how, context);
    return true;
  });
}

/** Puts complete images into the store, before anybody else can have them. */
export async function keepFinished(
  { order, tree }: ImageRequest,
  kept: { readonly key: string; readonly finished: readonly Finished[] },
  context: Context,
): Promise<void> {
  const store = tree.layers?.chain.store;
  if (store !== undefined && order.layersDir !== undefined) {
    const files = new Map(kept.finished.map(({ format, temporary }) => [format.type, temporary]));
    await keepImages(store, { key: kept.key, files, work: order.layersDir }, context);
  }
}
