/** Whether a build can do without a block device. */
import type { HookTree, TreeFile } from '../elements/hook-tree.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { textOrEmpty } from '../sandbox/small-files.ts';
import { PHASES } from './table.ts';

/**
 * `tree`: the disk is written when all hooks are done. `device`: it is made before the hooks of the
 * disk's phases, which find it mounted and behind `IMAGE_BLOCK_DEVICE`.
 */
export type DiskMode =
  | { readonly kind: 'tree' }
  /** `hook` is the first that wants a device; absent when the user does. */
  | { readonly kind: 'device'; readonly hook?: TreeFile };

/** Directories of the hooks that run when the disk's size is known. */
const LATE = new Set(PHASES.filter(({ stage }) => stage === 'disk').map(({ name }) => `${name}.d`));

/**
 * The mode that the hooks need: `device` when one of another's elements names the variable that only
 * a device can give a value. `DIB_DISK_MODE` decides instead, when it is set.
 */
export async function diskModeOf(plan: BuildPlan, tree: HookTree): Promise<DiskMode> {
  if (plan.ramdisk !== undefined) {
    return { kind: 'tree' };
  }
  const wanted = plan.environment.DIB_DISK_MODE;
  if (wanted === 'tree' || wanted === 'device') {
    return { kind: wanted };
  }
  const own = [`${plan.elementsPath.at(-1)}/`, `${plan.implicitElement}/`];
  const late = tree.files.filter(
    ({ path, source }) =>
      LATE.has(path.split('/', 1)[0] ?? '') && !own.some((prefix) => source.startsWith(prefix)),
  );
  const hook = late.find(namesDevice);
  return hook === undefined ? { kind: 'tree' } : { kind: 'device', hook };
}

function namesDevice({ source }: TreeFile): boolean {
  return /^[^#\n]*\bIMAGE_BLOCK_DEVICES?\b/m.test(textOrEmpty(source, 'latin1'));
}
