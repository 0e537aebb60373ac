/** The command `migration-update`: the package-migration service, one verb per file in `migration/`. */
import { Command } from 'commander';
import { runCommand } from './main.ts';
import { HOST_VERBS } from './migration/host-verbs.ts';
import type { Verb } from './migration/verb.ts';
import { packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';

const VERBS: Readonly<Record<string, Verb>> = {
  config: {
    description: 'check the configuration and print it with all defaults',
    run: async (argv) => (await import('./migration/config.ts')).configCommand(argv),
  },
  run: {
    description: 'look for new packages and submit them, once',
    run: async (argv) => (await import('./migration/run.ts')).runVerb(argv),
  },
  schedule: {
    description: 'run a pass every day, as a service in the foreground',
    run: async (argv) => (await import('./migration/schedule.ts')).scheduleCommand(argv),
  },
  status: {
    description: 'show what the last runs did',
    run: async (argv) => (await import('./migration/status.ts')).statusCommand(argv),
  },
  ...HOST_VERBS,
};

const EXAMPLES = `
Examples:
  migration-update build && migration-update start
      the service, in a container
  migration-update run --dry-run
      what is new, here and now
  migration-update status

Environment:
  MIGRATION_UPDATE_CONFIG   the configuration, unless --config names one
  MIGRATION_UPDATE_STATE    the state directory, unless --state names one

Each verb has a help of its own: migration-update VERB --help.

Exit codes: 0 done, 1 something failed or is held back, 2 usage or configuration, 3 the host lacks
something, 5 another run is going on, 70 our own bug, 128+n ended by signal n
`;

// Not awaited: a bundle is no ES module.
void runCommand(async () => {
  const [name = '--help', ...rest] = process.argv.slice(2);
  const verb = Object.entries(VERBS).find(([known]) => known === name)?.[1];
  if (verb !== undefined) {
    return verb.run(rest);
  }
  const asked = Object.entries(VERBS).find(([known]) => name === 'help' && known === rest[0])?.[1];
  if (asked !== undefined) {
    return asked.run(['--help']);
  }
  const command = new Command('migration-update')
    .description('Watches upstream repositories and submits what is new to be built.')
    .usage('VERB [OPTION]...')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  for (const [known, { description }] of Object.entries(VERBS)) {
    command.command(known).description(description);
  }
  parseArguments(command, [name, ...rest]);
  return 0;
});
