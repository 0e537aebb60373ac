/** Removes a directory that a build has filled, whoever its files belong to. */
import { rm } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { privilegedArgv } from './namespace.ts';
import { runTool } from './process.ts';
import { assertNamespace, neededPrivilege } from './user-namespace.ts';

/**
 * Removes `directory` and what is in it; nothing there is fine. What belongs to the users of an image
 * that an ordinary user has built, only the root of a user namespace like the build's can remove.
 *
 * @throws Failed `host` where there can be no namespace, `tool`, or what `rm` throws
 */
export async function removeTree(directory: string, context: Context): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    const denied = ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!denied || neededPrivilege() === 'root') {
      throw error;
    }
    await assertNamespace(context.toolEnvironment, "remove what belongs to an image's users");
    const argv = privilegedArgv(
      ['rm', '-rf', '--one-file-system', '--', directory],
      'user-namespace',
    );
    await runTool(argv, context, { announce: false });
  }
}
