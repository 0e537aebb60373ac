/** What is fixed once the root phases are done: the image's date, identifiers, size and layout. */
import { diskUuids } from '../disk/describe.ts';
import type { DiskPlan } from '../disk/layout.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import { type DiskStage, layOutDisk, sizeForTree } from './disk-stage.ts';
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
  { usedKiB, device }: { readonly usedKiB: number; readonly device: boolean },
): Promise<Settled> {
  const { build, graph, paths } = stage;
  const size = sizeForTree(stage, usedKiB);
  const identity = await identityOf(build, hooks, paths);
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
