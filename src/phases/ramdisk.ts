/** What is refused, or told, before a RAM disk is built. */
import type { Catalogue } from '../elements/catalogue.ts';
import { configError } from '../events/failure.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { closestNames } from '../plan/closest.ts';

/** @throws Failed `config` for an element that the option or the variable names and nobody has. */
export function assertRamdiskElements({ ramdisk }: BuildPlan, { elements }: Catalogue): void {
  const unknown = ramdisk?.elements.find((name) => !elements.has(name));
  if (unknown === undefined) {
    return;
  }
  const near = closestNames(unknown, elements.keys()).map((name) => `'${name}'`);
  throw configError(
    `Cannot find the element '${unknown}', which is to make the RAM disk (--ramdisk-element, RAMDISK_ELEMENT)`,
    {
      hint:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : "Built in are 'ramdisk' and 'dracut-ramdisk'; directories with others go into ELEMENTS_PATH",
    },
  );
}

/** The formats that a RAM disk's build leaves out, as warnings. */
export function unmadeTypes({ ramdisk }: BuildPlan): readonly string[] {
  const types = ramdisk?.unmadeTypes ?? [];
  return types.length === 0
    ? []
    : [`No ${types.join(', ')} is written: ramdisk-image-create makes no disks`];
}
