/** `migration-update config`: the configuration as the service sees it, to be kept and changed. */
import { Command } from 'commander';
import { parseArguments } from '../parse-arguments.ts';
import {
  readConfig,
  SERVICE_ENVIRONMENT,
  type ServiceOptions,
  withConfigOption,
} from './service-options.ts';

/** Status 0: printed. */
export async function configCommand(argv: readonly string[]): Promise<number> {
  const command = withConfigOption(new Command('migration-update config'))
    .description('Checks the configuration and prints it with all defaults, as YAML.')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SERVICE_ENVIRONMENT);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const { stringify } = await import('yaml');
  process.stdout.write(stringify(await readConfig(command.opts<ServiceOptions>())));
  return 0;
}
