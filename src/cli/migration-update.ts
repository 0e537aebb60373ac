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

// Not awaited: a bundle is no ES module.
void runCommand(async () => {
  const [name = '--help', ...rest] = process.argv.slice(2);
  const verb = Object.entries(VERBS).find(([known]) => known === name)?.[1];
  if (verb !== undefined) {
    return verb.run(rest);
  }
  const command = new Command('migration-update')
    .description('Watches upstream repositories and submits what is new to be built.')
    .usage('VERB [OPTION]...')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help');
  for (const [known, { description }] of Object.entries(VERBS)) {
    command.command(known).description(description);
  }
  parseArguments(command, [name, ...rest]);
  return 0;
});
