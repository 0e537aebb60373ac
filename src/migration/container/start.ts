/** Puts a container with the service in the place of the last one. */

import { access, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../../events/event.ts';
import { configError, type Failed, hostError } from '../../events/failure.ts';
import { makeDirectories } from '../../events/make-directories.ts';
import { runTool } from '../../sandbox/process.ts';
import {
  type Argv,
  imageCommand,
  type Mount,
  type RuntimeName,
  removeCommand,
  type StartSpec,
  startCommand,
  stopCommand,
} from './commands.ts';
import { findContainer } from './runtime.ts';
import {
  AUTHENTICATION_FILE,
  mergeSettings,
  SETTINGS_DIRECTORIES,
  type Settings,
  type SettingsFile,
} from './settings.ts';

/**
 * What the service needs of the host: results of jobs, the account, compass-ci's settings, the time
 * zone. Source: start_container.sh.
 */
export function defaultMounts(home: string): readonly Mount[] {
  const mounts = [
    ['/srv', '/srv'],
    [path.join(home, '.config'), '/root/.config'],
    ['/etc/compass-ci', '/etc/compass-ci'],
    ['/etc/localtime', '/etc/localtime'],
  ] as const;
  return mounts.map(([source, target]) => ({ source, target, isDefault: true }));
}

/**
 * Reads what there is of compass-ci's settings.
 *
 * @throws Failed `config` for a file that cannot be read or is no YAML map.
 */
export async function readSettings(home: string): Promise<Settings> {
  const lists = await Promise.all(
    SETTINGS_DIRECTORIES.map((directory) => yamlFiles(directory.replace(/^~/, home))),
  );
  const paths = [...lists.flat(), AUTHENTICATION_FILE];
  const files = await Promise.all(paths.map(readSettingsFile));
  return mergeSettings(files.filter((file) => file !== undefined));
}

async function yamlFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error) => unlessMissing(error, directory) ?? []);
  return names
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => path.join(directory, name));
}

async function readSettingsFile(file: string): Promise<SettingsFile | undefined> {
  const text = await readFile(file, 'utf8').catch((error) => unlessMissing(error, file));
  const secret = file === AUTHENTICATION_FILE;
  return text === undefined ? undefined : { path: file, text, secret };
}

function unlessMissing(error: NodeJS.ErrnoException, file: string): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return undefined;
  }
  throw configError(`Cannot read compass-ci's settings: ${error.message}`, {
    at: { file },
    hint: 'Run this as a user who may read it, such as root',
  });
}

export interface StartOptions {
  readonly spec: StartSpec;
  /** Remove a container of the name even if somebody else made it. */
  readonly replace: boolean;
}

/**
 * Stops and removes the container of the name, and starts the new one. Everything that can be checked
 * is, before the old one is touched.
 *
 * @returns the new container's id.
 * @throws Failed `host`, `config` or `tool`.
 */
export async function startContainer(options: StartOptions, context: Context): Promise<string> {
  const { spec, replace } = options;
  const missing = await missingMounts(spec.mounts);
  if (missing !== undefined) {
    throw missing;
  }
  const old = await findContainer(spec.runtime, spec.container, context);
  await assertImage(spec, context);
  if (old !== undefined && !old.ours && !replace) {
    throw configError(
      `The container '${spec.container}' is not the service's: it runs ${old.image}`,
      {
        hint: 'Choose another name with --name, or remove it all the same with --replace',
      },
    );
  }
  await makeStateDirectory(spec.state);
  if (old !== undefined) {
    await quietly(stopCommand(spec.runtime, spec.container), context);
    await quietly(removeCommand(spec.runtime, spec.container), context);
  }
  const values = [...spec.environment].map(([name, { value }]) => [name, value] as const);
  const id = await runTool(startCommand(spec), context, {
    announce: false,
    env: Object.fromEntries(values),
  });
  return id.trim();
}

/** Stops and removes the service's container; `absent` when there is none. */
export async function stopContainer(
  runtime: RuntimeName,
  container: string,
  context: Context,
): Promise<'stopped' | 'absent'> {
  const old = await findContainer(runtime, container, context);
  if (old === undefined) {
    return 'absent';
  }
  if (!old.ours) {
    throw configError(`The container '${container}' is not the service's: it runs ${old.image}`);
  }
  await quietly(stopCommand(runtime, container), context);
  await quietly(removeCommand(runtime, container), context);
  return 'stopped';
}

async function quietly(argv: Argv, context: Context): Promise<void> {
  await runTool(argv, context, { announce: false });
}

/** Docker would make it, podman would not. A volume is made by both. */
async function makeStateDirectory(state: string): Promise<void> {
  if (path.isAbsolute(state)) {
    await makeDirectories(state).catch((error: Error) => {
      throw hostError(`Cannot keep the state in '${state}': ${error.message}`);
    });
  }
}

/** What speaks against mounting these: all of it at once, since who makes one has to make the others too. */
export async function missingMounts(mounts: readonly Mount[]): Promise<Failed | undefined> {
  const faults = await Promise.all(
    mounts.map(async (mount) => {
      const code = await access(mount.source).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error.code,
      );
      return code === undefined ? [] : [{ ...mount, why: code === 'ENOENT' ? 'missing' : code }];
    }),
  );
  const found = faults.flat();
  if (found.length === 0) {
    return undefined;
  }
  const names = found.map(({ source, why }) => `'${source}' (${why})`).join(', ');
  const left = found.filter(({ isDefault }) => isDefault).map(({ source }) => source);
  const without = left.map((source) => `--without ${source}`).join(' ');
  return hostError(
    `Cannot mount ${names}`,
    left.length === 0
      ? 'Give the path of what is there'
      : `Make what is missing, or do without: ${without}`,
  );
}

async function assertImage(spec: StartSpec, context: Context): Promise<void> {
  const hint = `Build it with 'migration-update build', or load it: ${spec.runtime} load --input ${spec.image}.docker`;
  await runTool(imageCommand(spec.runtime, spec.image), context, { announce: false, hint });
}
