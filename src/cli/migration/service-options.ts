/** What the verbs of `migration-update` share: which configuration, which state volume. */
import { existsSync, promises as fs } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { configError } from '../../events/failure.ts';
import type { MigrationConfig } from '../../migration/config.ts';
import { DEFAULT_STATE_DIRECTORY } from '../../migration/state.ts';
import { ownEnvironment } from '../host-facts.ts';

/** Where the service looks for its configuration, in the container too. */
export const DEFAULT_CONFIG_FILE = '/etc/migration-update/config.yaml';

/** For the help of the verbs that take these options. */
export const SERVICE_ENVIRONMENT = `
Environment:
  MIGRATION_UPDATE_CONFIG   the configuration, unless --config names one
  MIGRATION_UPDATE_STATE    the state directory, unless --state names one
`;

export interface ServiceOptions {
  readonly config?: string;
  readonly state?: string;
}

export function withConfigOption(command: Command): Command {
  return command.option('-c, --config <file>', `the configuration (${DEFAULT_CONFIG_FILE})`);
}

export function withStateOption(command: Command): Command {
  return command.option('--state <dir>', `where the state is kept (${DEFAULT_STATE_DIRECTORY})`);
}

/**
 * The configuration that was named, or else the one in the default place, or else the built-in one.
 *
 * @throws Failed `config`.
 */
export async function readConfig(options: ServiceOptions): Promise<MigrationConfig> {
  const named = options.config ?? ownEnvironment().MIGRATION_UPDATE_CONFIG;
  if (named === undefined && !existsSync(DEFAULT_CONFIG_FILE)) {
    return (await import('../../migration/default-config.ts')).DEFAULT_CONFIG;
  }
  const file = named ?? DEFAULT_CONFIG_FILE;
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw configError(`Cannot read the configuration '${file}': ${error.code}`);
  });
  const { parseConfig } = await import('../../migration/parse-config.ts');
  return parseConfig(text, file);
}

/** The state directory as an absolute path. */
export function stateDirectory(options: ServiceOptions): string {
  const named = options.state ?? ownEnvironment().MIGRATION_UPDATE_STATE;
  return path.resolve(named ?? DEFAULT_STATE_DIRECTORY);
}
