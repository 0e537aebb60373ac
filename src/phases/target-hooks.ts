/**
 * The hook tree as hooks in the target see it, at /tmp/in_target.d while a phase runs (compat).
 *
 * Nothing that hooks write there reaches the hook tree. Where it is to be known what they read, they
 * see a copy: of what is mounted read-only the kernel notes no access. It cannot be changed either,
 * where the kernel has immutable files in memory.
 */
import { lstat, mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { configError } from '../events/failure.ts';
import { mount } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';
import { type BuildPaths, TARGET_HOOKS } from './environment.ts';

const COPY = `
cp -a --no-target-directory -- "$1" "$2"
chattr -fR +i "$2" 2>/dev/null || :
`;

/** Shows the hook tree in the target until the scope ends; returns where, on the host. */
export async function showHooks(
  { targetRoot, hooksDir }: BuildPaths,
  how: { readonly scope: Scope; readonly traced: boolean },
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
  how.scope.defer(() => rmdir(target));
  if (how.traced) {
    const options = 'mode=755,strictatime';
    await mount({ source: 'tmpfs', target, type: 'tmpfs', options }, context);
  } else {
    await mount({ source: hooksDir, target, options: 'bind,ro' }, context);
  }
  const unhindered = { ...context, signal: new AbortController().signal };
  how.scope.defer(async () => {
    await runTool(['umount', '--lazy', target], unhindered, { announce: false });
  });
  if (how.traced) {
    await runTool(['sh', '-c', COPY, 'sh', hooksDir, target], context, { announce: false });
  }
  return target;
}
