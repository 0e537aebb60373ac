/** Whether the kernel mounts overlays of layers on a file system, found by mounting one. */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { OVERLAY_ENVIRONMENT, overlayOptions } from '../sandbox/overlay.ts';
import { runTool } from '../sandbox/process.ts';
import { inUserNamespace } from '../sandbox/user-namespace.ts';

/** An option of twice as many bytes is more than fsconfig(2) takes. */
const LONG_OPTION = 200;

/**
 * Mounts an overlay with the options $1 and looks whether it works: a directory in place of one that was
 * removed needs an attribute, which not every file system has.
 */
const PROBE = `
mount -t overlay -o "$1" overlay "$PWD/at" || exit
rmdir at/directory && mkdir at/directory
status=$?
umount "$PWD/at" && exit "$status"
`;

/** Whether they work with an upper on the file system of `directory`, which is made and removed. */
export async function overlaysWork(directory: string, context: Context): Promise<boolean> {
  // As long as many layers make it.
  const lower = [`${'./'.repeat(LONG_OPTION)}lower`];
  const options = overlayOptions(
    { lower, upper: 'upper', work: 'work', oneDevice: true },
    inUserNamespace(),
  );
  try {
    for (const name of ['lower/directory', 'at', 'upper', 'work']) {
      mkdirSync(path.join(directory, name), { recursive: true });
    }
    const argv = ['sh', '-c', PROBE, 'sh', options] as const;
    const how = { announce: false, cwd: directory, env: OVERLAY_ENVIRONMENT };
    await runTool([...argv], context, how);
    return true;
  } catch {
    context.signal.throwIfAborted();
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
