/** The elements that nobody has to name. */
import type { ElementLookup } from './element.ts';

export interface ImplicitRequest {
  readonly requested: readonly string[];
  /** Debian's or the kernel's name of the architecture. */
  readonly arch: string;
  /** `-n`: without `base`. */
  readonly skipBase: boolean;
  /** What a RAM disk is built on. */
  readonly ramdisk?: readonly string[];
}

/**
 * The request with the RAM disk's elements and `base` first and, for `vm`, a block-device element last.
 *
 * Source: lib/disk-image-create, `arg_to_elements` (compat). Ours also sees a block-device element
 * that comes in as a dependency, where upstream adds a second one that collides with it.
 */
export function implicitElements(
  { requested, arch, skipBase, ramdisk = [] }: ImplicitRequest,
  lookup: ElementLookup,
): readonly string[] {
  const base = skipBase || requested.includes('base') ? [] : ['base'];
  const first = [...ramdisk.filter((name) => !requested.includes(name)), ...base];
  const needsDisk = requested.includes('vm') && !bringsBlockDevice(requested, lookup);
  const last = needsDisk ? [defaultBlockDevice(arch)] : [];
  return [...first, ...requested, ...last];
}

function defaultBlockDevice(arch: string): string {
  return arch === 'arm64' || arch === 'aarch64' ? 'block-device-efi' : 'block-device-mbr';
}

function bringsBlockDevice(requested: readonly string[], lookup: ElementLookup): boolean {
  const names = new Set(requested);
  for (const name of names) {
    const element = lookup.elements.get(name);
    if (name.startsWith('block-device-') || element?.provides.includes('block-device')) {
      return true;
    }
    for (const dep of element?.deps ?? []) {
      names.add(dep);
    }
  }
  return false;
}
