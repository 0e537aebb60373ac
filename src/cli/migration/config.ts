/** `migration-update config`: the configuration as the service sees it, to be kept and changed. */
import { parseArguments } from '../parse-arguments.ts';
import { readConfig, type ServiceOptions, serviceCommand } from './service-options.ts';

/** Status 0: printed. */
export async function configCommand(argv: readonly string[]): Promise<number> {
  const command = serviceCommand('config', ['config']).description(
    'Checks the configuration and prints it with all defaults, as YAML.',
  );
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const { stringify } = await import('yaml');
  process.stdout.write(stringify(await readConfig(command.opts<ServiceOptions>())));
  return 0;
}
