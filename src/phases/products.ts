/** Files that hooks have handed over with `dib-product`: on their way to lie beside the image. */
import { copyFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { inStep } from '../events/step.ts';
import { digestsOf } from '../output/checksum.ts';
import type { Finished } from '../output/publish-images.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { fileName, formatsOf } from '../plan/formats.ts';
import { PRODUCTS_FOLDER, productFormat, RAMDISK_PRODUCTS } from '../plan/products.ts';
import type { EngineOrder } from './protocol.ts';

/** Notes when the build began, by the clock of the file system that RAM disks are written to. */
export async function noteStart(order: EngineOrder): Promise<void> {
  if (order.build.plan.ramdisk !== undefined) {
    await writeFile(startOf(order), '');
  }
}

function startOf({ staging }: EngineOrder): string {
  return path.join(staging, 'started');
}

/**
 * All of them, complete and with their checksums, under temporary names beside their final place.
 *
 * @throws Failed `config` when a RAM disk was wanted and none was made, or one has an image's name.
 */
export async function collectProducts(
  { order, hooksDir }: { readonly order: EngineOrder; readonly hooksDir: string },
  context: Context,
): Promise<readonly Finished[]> {
  const { plan } = order.build;
  const folder = path.join(hooksDir, PRODUCTS_FOLDER);
  const suffixes = (await readdir(folder).catch(() => [])).sort();
  await assertRamdiskMade(order, suffixes);
  assertOwnNames(plan, suffixes);
  if (suffixes.length === 0) {
    return [];
  }
  const { name, checksums } = plan.image;
  const detail = `Copying ${suffixes.map((suffix) => `${name}.${suffix}`).join(', ')}`;
  return inStep({ step: 'products', detail }, context, async () => {
    const finished: Finished[] = [];
    for (const suffix of suffixes) {
      const format = productFormat(suffix);
      const shown = fileName(name, format);
      const temporary = path.join(order.staging, `product.${suffix}`);
      await copyFile(path.join(folder, suffix), temporary);
      const sums = await digestsOf(temporary, checksums);
      finished.push({ format, shown, temporary, checksums: await sums.write(temporary, shown) });
    }
    return finished;
  });
}

/** Elements of others copy theirs to where they belong by themselves (compat): those are newer than the build. */
async function assertRamdiskMade(order: EngineOrder, suffixes: readonly string[]): Promise<void> {
  const { image, ramdisk } = order.build.plan;
  if (ramdisk === undefined) {
    return;
  }
  const started = await changedAt(startOf(order));
  for (const product of RAMDISK_PRODUCTS.filter((each) => !suffixes.includes(each))) {
    const shown = `${image.name}.${product}`;
    if ((await changedAt(path.resolve(image.cwd, shown))) < started) {
      throw configError(`No hook has made the ${product} of the RAM disk: '${shown}'`, {
        hint: `Of ${ramdisk.elements.join(', ')} and the others, one has to depend on 'ramdisk-base', or call 'dib-product ${product} FILE' in cleanup.d`,
      });
    }
  }
}

/** 0 where there is no such file. */
async function changedAt(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.ctimeMs ?? 0;
}

function assertOwnNames(plan: BuildPlan, suffixes: readonly string[]): void {
  const images = formatsOf(plan.image.types).map((format) => fileName('', format).slice(1));
  const taken = suffixes.find((suffix) => images.includes(suffix));
  if (taken !== undefined) {
    throw configError(
      `A hook has handed over '${plan.image.name}.${taken}', which is the name of an image of this build`,
      { hint: `Call 'dib-product' with another suffix, or leave '-t ${taken}' out` },
    );
  }
}
