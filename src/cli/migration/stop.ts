/** `migration-update stop`. */
import { Command } from 'commander';
import { stopContainer } from '../../migration/container/start.ts';
import { parseArguments } from '../parse-arguments.ts';
import { withStopSignal } from '../stop-signal.ts';
import { type HostOptions, hostContext, runtimeOf, withHostOptions } from './host-options.ts';

/** Status 0: there is no such container any more. */
export async function stopVerb(argv: readonly string[]): Promise<number> {
  const command = withHostOptions(new Command('migration-update stop'))
    .description(
      'Stops the container, letting a run end properly, and removes it. The state stays.',
    )
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      '\nExamples:\n  migration-update stop\n  migration-update stop --name test',
    );
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<HostOptions>();
  const runtime = await runtimeOf(options);
  const outcome = await withStopSignal((signal) =>
    stopContainer(runtime, options.name, hostContext(signal)),
  );
  const said = outcome === 'stopped' ? 'Stopped and removed' : 'Nothing to stop: there is no';
  process.stderr.write(`${said} '${options.name}'\n`);
  return 0;
}
