/**
 * Files that hooks hand over with `dib-product SUFFIX FILE`, to lie beside the image as `NAME.SUFFIX`:
 * a kernel, an initramfs. Pure.
 */
import type { Format } from './formats.ts';

/** Where hooks put them: the directory of that name in the hook tree, a file for each suffix. */
export const PRODUCTS_FOLDER = '.products';

/** What every RAM disk consists of. Source: ramdisk-base/cleanup.d (compat). */
export const RAMDISK_PRODUCTS = ['initramfs', 'kernel'] as const;

/** A product as the writers of images see one: like a disk, an old one is renamed aside. */
export function productFormat(suffix: string): Format {
  return { type: suffix, source: 'tree', keepsOld: true, tools: [] };
}
