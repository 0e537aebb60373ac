/** The container runtime of this host. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../../events/event.ts';
import { hostError } from '../../events/failure.ts';
import { runTool } from '../../sandbox/process.ts';
import { findListed, type Listed, listCommand, RUNTIMES, type RuntimeName } from './commands.ts';

/** The one that was asked for, else the first that is installed. @throws Failed `host`. */
export async function chooseRuntime(
  wanted: RuntimeName | undefined,
  searchPath: string,
): Promise<RuntimeName> {
  const candidates = wanted === undefined ? RUNTIMES : [wanted];
  for (const name of candidates) {
    if (await isInstalled(name, searchPath)) {
      return name;
    }
  }
  throw hostError(
    `Cannot find ${candidates.join(', ')} on PATH`,
    'Install one of docker, podman and nerdctl, and start its service where it has one',
  );
}

async function isInstalled(name: string, searchPath: string): Promise<boolean> {
  const tries = searchPath
    .split(':')
    .filter((directory) => directory !== '')
    .map((directory) => access(path.join(directory, name), constants.X_OK));
  return (await Promise.allSettled(tries)).some(({ status }) => status === 'fulfilled');
}

/**
 * The container of that name, whatever its state.
 *
 * @throws Failed `tool` when the runtime does not answer.
 */
export async function findContainer(
  runtime: RuntimeName,
  container: string,
  context: Context,
): Promise<Listed | undefined> {
  const hint = `Does the service of ${runtime} run, and may you use it? Try: ${runtime} ps`;
  return findListed(
    await runTool(listCommand(runtime), context, { announce: false, hint }),
    container,
  );
}
