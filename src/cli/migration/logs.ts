/** `migration-update logs`. */
import { Command } from 'commander';
import { configError, usageError } from '../../events/failure.ts';
import { logsCommand } from '../../migration/container/commands.ts';
import { findContainer } from '../../migration/container/runtime.ts';
import { start, statusOf } from '../../sandbox/process.ts';
import { parseArguments } from '../parse-arguments.ts';
import { withStopSignal } from '../stop-signal.ts';
import {
  clientEnvironment,
  type HostOptions,
  hostContext,
  runtimeOf,
  withHostOptions,
} from './host-options.ts';

interface Options extends HostOptions {
  readonly follow?: true;
  readonly tail?: string;
}

/** The status is the runtime's. */
export async function logsVerb(argv: readonly string[]): Promise<number> {
  const command = withHostOptions(new Command('migration-update logs'))
    .description('Shows what the service in the container has said.')
    .option('-f, --follow', 'and what it goes on to say')
    .option('--tail <lines>', 'the last so many lines (all)')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      '\nExamples:\n  migration-update logs --follow\n  migration-update logs --tail 100',
    );
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  const { tail } = options;
  if (tail !== undefined && !/^\d{1,9}$/.test(tail)) {
    throw usageError(`Option '--tail' needs a number of lines: '${tail}'`);
  }
  const runtime = await runtimeOf(options);
  const follow = options.follow === true;
  const limit = tail === undefined ? {} : { tail };
  const shown = logsCommand(runtime, options.name, { follow, ...limit });
  return await withStopSignal(async (signal) => {
    if ((await findContainer(runtime, options.name, hostContext(signal))) === undefined) {
      throw configError(`There is no container '${options.name}'`, {
        hint: 'Start it: migration-update start. One of another name: --name NAME',
      });
    }
    const running = start({ argv: shown, env: clientEnvironment(), output: 'terminal' }, signal);
    return statusOf(await running.exit);
  });
}
