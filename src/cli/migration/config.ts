/** `migration-update config`: the configuration as the service sees it, to be kept and changed. */
import { parseArguments } from '../parse-arguments.ts';
import { readConfig, type ServiceOptions, serviceCommand } from './service-options.ts';

const EXAMPLES = `
Examples:
  migration-update config >config.yaml
      what is built in, to be changed
  migration-update config --config config.yaml
      whether that can be used, and what it means
`;

/** Status 0: printed. */
export async function configCommand(argv: readonly string[]): Promise<number> {
  const command = serviceCommand('config', ['config'])
    .description('Checks the configuration and prints it with all defaults, as YAML.')
    .addHelpText('after', EXAMPLES);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const { stringify } = await import('yaml');
  process.stdout.write(stringify(await readConfig(command.opts<ServiceOptions>())));
  return 0;
}
