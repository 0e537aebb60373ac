/** What is fixed once the root phases are done: the image's date, identifiers, size and layout. */
import { diskUuids } from '../disk/describe.ts';
import type { DiskPlan } from '../disk/layout.ts';
import type { TreeSize } from '../disk/room.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import { layOutDisk, sizeForTree } from './disk-size.ts';
import type { DiskStage } from './disk-stage.ts';
import type { SettledDisk } from './environment.ts';
import { type ImageIdentity, identityOf } from './image-identity.ts';
import { writesDisk } from './prepare.ts';

export interface Settled {
  readonly identity: ImageIdentity;
  /** Undefined where no disk is written. */
  readonly disk: DiskPlan | undefined;
  /** For the hooks of the disk phases. */
  readonly variables: SettledDisk;
}

/** @throws Failed `config` where the tree does not fit. */
export async function settle(
  stage: DiskStage,
  hooks: HookTree,
  { size: tree, device }: { readonly size: TreeSize; readonly device: boolean },
): Promise<Settled> {
  const { build, graph, paths } = stage;
  const identity = await identityOf(build, hooks, paths);
  const size = sizeForTree(stage, tree, identity.identifiers);
  // `-t tar` of a tree needs no disk that it fits on, unless hooks do.
  const disk =
    device || writesDisk(build.plan, build.elements)
      ? layOutDisk(stage, size, identity.identifiers)
      : undefined;
  const uuids = diskUuids(graph, identity.identifiers);
  return { identity, disk, variables: { imageSizeKiB: size.sizeKiB, ...uuids } };
}

/** What the engine puts into the tree before the first disk phase, as that phase's layer knows it. */
export const FSTAB_INPUT = 'fstab of the disk';
