/** Which files of the hook tree run, and when, as far as can be known beforehand. Pure. */
import type { IgnoredHook } from '../elements/hook-problems.ts';
import type { HookTree, TreeFile } from '../elements/hook-tree.ts';
import { selectHooks } from '../run-parts/select.ts';
import type { HooksByPhase } from './break-names.ts';
import { PHASES } from './table.ts';

/** What a listing says of a file that runs, once those that do not are taken out. */
interface Entry {
  readonly name: string;
  readonly isFile: true;
  readonly executable: true;
}

/** The files directly in a directory of the tree that were not passed over. */
export function plannedEntries(
  tree: HookTree,
  ignored: readonly IgnoredHook[],
  directory: string,
): readonly Entry[] {
  const prefix = `${directory}/`;
  const passedOver = new Set(ignored.filter((one) => one.dir === directory).map((one) => one.name));
  return tree.files
    .map((file: TreeFile) => file.path)
    .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
    .map((path) => path.slice(prefix.length))
    .filter((name) => !passedOver.has(name))
    .map((name) => ({ name, isFile: true, executable: true }));
}

/** The hooks of every phase, in run order; those that hooks make while the build runs are not known. */
export function plannedHooks(tree: HookTree, ignored: readonly IgnoredHook[]): HooksByPhase {
  return new Map(
    PHASES.map(({ name }) => [name, selectHooks(plannedEntries(tree, ignored, `${name}.d`)).run]),
  );
}
