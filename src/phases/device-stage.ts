/** The disk of a build in device mode: made from the tree, attached, and mounted in the tree's place. */
import { attachDisk, type Devices, freezeDisk, mountDisk } from '../disk/attach.ts';
import type { DiskPlan } from '../disk/layout.ts';
import { writeBootCode } from '../disk/write.ts';
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import { unmountBelow } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import { Scope } from '../sandbox/scope.ts';
import { type DiskFiles, type DiskStage, type DiskWork, writeDiskFiles } from './disk-stage.ts';

export interface AttachedDisk extends AsyncDisposable {
  readonly devices: Devices;
  readonly files: DiskFiles;
  /**
   * The hooks are done: what they wrote is in the files, which can be read from now on, as can the
   * tree. Writing is over.
   */
  settle(context: Context): Promise<void>;
}

/**
 * Makes the disk from the tree as it is, and puts its file systems in the tree's place.
 *
 * @throws Failed `host` without loop devices or for a file system that the kernel does not know, and
 * as `writeDisk` does.
 */
export async function attachBuildDisk(
  stage: DiskStage,
  plan: DiskPlan,
  work: DiskWork,
): Promise<AttachedDisk> {
  const { targetRoot } = stage.paths;
  const { context } = work;
  const scope = new Scope();
  try {
    const detail = 'Writing the disk from the tree, for hooks that need a block device';
    const files = await inStep({ step: 'disk', detail }, context, () =>
      writeDiskFiles(stage, plan, work),
    );
    const devices = await attachDisk({ plan, files: files.byName }, scope, context);
    const place = { devices, root: targetRoot };
    scope.defer(() => unmountTree(targetRoot, context));
    await mountDisk(plan, place, context);
    return {
      devices,
      files,
      settle: async (now) => {
        await unmountBelow(targetRoot, now);
        await freezeDisk(plan, place, now);
        await writeBootCode(plan, { tree: targetRoot, files: files.byName });
      },
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

/** The disk's file systems with all that hooks have mounted in them; the tree is seen again. */
async function unmountTree(root: string, context: Context): Promise<void> {
  const unhindered = { ...context, signal: new AbortController().signal };
  await unmountBelow(root, unhindered);
  await runTool(['umount', '--lazy', root], unhindered, { announce: false });
}
