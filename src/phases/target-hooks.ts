/**
 * The hook tree as hooks in the target see it, at /tmp/in_target.d while a phase runs (compat).
 *
 * Nothing that hooks write there reaches the hook tree. Where it is to be known what they read, they
 * see a copy: of what is mounted read-only the kernel notes no access. It cannot be changed either,
 * where the kernel has immutable files in memory.
 */
import { lstat, mkdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { MOUNT_ALL, type Mount, mountAll, mountsBelow, mountWords } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';
import { type BuildPaths, TARGET_HOOKS } from './environment.ts';

const MOUNT_AND_COPY = `
from=$1 to=$2
shift 2
${MOUNT_ALL}
cp -a --no-target-directory -- "$from" "$to" || exit
chattr -fR +i "$to" 2>/dev/null || :
`;

/**
 * Shows the hook tree in the target until the scope ends, or whoever unmounts the target has taken it away;
 * returns where, on the host. `first` is mounted before it.
 */
export async function showHooks(
  { targetRoot, hooksDir }: BuildPaths,
  how: { readonly scope: Scope; readonly traced: boolean; readonly first: readonly Mount[] },
  context: Context,
): Promise<string> {
  const tmp = path.join(targetRoot, 'tmp');
  const found = await lstat(tmp).catch(() => undefined);
  if (found === undefined) {
    await mkdir(tmp, { mode: 0o1777 });
  } else if (!found.isDirectory()) {
    throw configError("Cannot run hooks in the target: its '/tmp' is not a directory");
  }
  const target = path.join(targetRoot, TARGET_HOOKS);
  await mkdir(target, { mode: 0o755 });
  const unhindered = { ...context, signal: new AbortController().signal };
  how.scope.defer(async () => {
    if (mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), tmp).includes(target)) {
      await runTool(['umount', '--lazy', target], unhindered, { announce: false });
    }
    await rmdir(target).catch(unlessGone);
  });
  if (how.traced) {
    const tmpfs = { source: 'tmpfs', target, type: 'tmpfs', options: 'mode=755,strictatime' };
    const words = [hooksDir, target, ...(await mountWords([...how.first, tmpfs]))];
    await runTool(['sh', '-c', MOUNT_AND_COPY, 'sh', ...words], context, { announce: false });
  } else {
    await mountAll([...how.first, { source: hooksDir, target, options: 'bind,ro' }], context);
  }
  return target;
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}
