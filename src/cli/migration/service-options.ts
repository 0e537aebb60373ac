/** What the verbs of `migration-update` share: which configuration, which state volume. */
import { existsSync, promises as fs } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { configError } from '../../events/failure.ts';
import type { Reader } from '../../events/reader.ts';
import { redactEvent } from '../../events/redact.ts';
import { systemClock } from '../../migration/clock.ts';
import type { MigrationConfig } from '../../migration/config.ts';
import { localTimeZone } from '../../migration/schedule/cron.ts';
import { DEFAULT_STATE_DIRECTORY } from '../../migration/state.ts';
import type { WatchContext } from '../../migration/watch.ts';
import { ownEnvironment } from '../host-facts.ts';

/** Where the service looks for its configuration, in the container too. */
export const DEFAULT_CONFIG_FILE = '/etc/migration-update/config.yaml';

const ENVIRONMENT = {
  config: 'MIGRATION_UPDATE_CONFIG   the configuration, unless --config names one',
  state: 'MIGRATION_UPDATE_STATE    the state directory, unless --state names one',
};

export interface ServiceOptions {
  readonly config?: string;
  readonly state?: string;
}

/** A verb with options for the configuration, the state directory or both, in this order. */
export function serviceCommand(verb: string, takes: readonly ('config' | 'state')[]): Command {
  const command = new Command(`migration-update ${verb}`);
  if (takes.includes('config')) {
    command.option('-c, --config <file>', `the configuration (${DEFAULT_CONFIG_FILE})`);
  }
  if (takes.includes('state')) {
    command.option('--state <dir>', `where the state is kept (${DEFAULT_STATE_DIRECTORY})`);
  }
  const lines = takes.map((name) => `  ${ENVIRONMENT[name]}`);
  return command
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', `\nEnvironment:\n${lines.join('\n')}`);
}

/** `--time-zone`, of this process unless told otherwise: TZ may be wrong, too. */
export function withTimeZoneOption(command: Command, what: string): Command {
  return command.option('--time-zone <zone>', what, localTimeZone());
}

/** What a pass needs, with its news on `console`. */
export function watchContext(console: Pick<Reader, 'receive'>, signal: AbortSignal): WatchContext {
  return {
    emit: (event) => console.receive(redactEvent({ ...event, at: Date.now() })),
    signal,
    clock: systemClock,
    environment: ownEnvironment(),
  };
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
