/** Writes a container image: its layers, then the documents that name them by their digests. */
import type { Context } from '../events/event.ts';
import { type ContainerFormat, type ContainerImage, SUITS } from './container-image.ts';
import { ImageArchive } from './oci-archive.ts';
import {
  dockerManifest,
  imageConfig,
  imageIndex,
  imageManifest,
  LAYOUT_VERSION,
  type WrittenLayer,
} from './oci-documents.ts';
import { addLayer } from './oci-layer.ts';

/** Writes `file`, an image layout or a docker-save archive. @throws Failed `tool`, `disk-full` */
export async function writeContainerImage(
  image: ContainerImage,
  to: { readonly file: string; readonly format: ContainerFormat },
  context: Context,
): Promise<void> {
  const created = image.epoch === undefined ? new Date() : new Date(image.epoch * 1000);
  const compression = image.compression ?? SUITS[to.format];
  await using archive = await ImageArchive.create(to.file, created);
  const rules = {
    compression,
    leaveOut: image.leaveOut,
    ...(image.epoch === undefined ? {} : { newest: image.epoch }),
  };
  const layers: WrittenLayer[] = [];
  for (const layer of image.layers) {
    layers.push(await addLayer(layer, { archive, rules }, context));
  }
  const { platform, settings, name } = image;
  const document = (text: string) => archive.addBlob([Buffer.from(text)]);
  const config = await document(imageConfig({ settings, platform, created, layers }));
  if (to.format === 'docker') {
    await archive.add('manifest.json', dockerManifest(config, layers, name));
  } else {
    const manifest = await document(imageManifest(config, layers, compression));
    await archive.add('index.json', imageIndex(manifest, platform, name));
    await archive.add('oci-layout', LAYOUT_VERSION);
  }
  await archive.finish();
}
