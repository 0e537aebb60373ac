/** `migration-update schedule`: the service, in the foreground. */
import { PlainConsole } from '../../events/plain-console.ts';
import { parseSchedule } from '../../migration/schedule/cron.ts';
import { runScheduler } from '../../migration/schedule/scheduler.ts';
import { openState } from '../../migration/state.ts';
import { parseArguments } from '../parse-arguments.ts';
import { withStopSignal } from '../stop-signal.ts';
import {
  readConfig,
  type ServiceOptions,
  serviceCommand,
  stateDirectory,
  watchContext,
  withTimeZoneOption,
} from './service-options.ts';

const DETAILS = `
A run that fails does not end the service. TERM ends it with status 0; a run that is going on ends as soon
as it has written down what it did, and is gone on with at the next start. Daylight saving neither skips
nor repeats a run. The configuration says what becomes of runs that were missed, and how long logs are kept.

Examples:
  migration-update schedule
  migration-update schedule --cron '30 3 * * 1-5' --time-zone Asia/Shanghai
      at half past three on working days there
`;

interface Options extends ServiceOptions {
  readonly cron?: string;
  readonly timeZone: string;
}

/** Status 0: it was told to stop. */
export async function scheduleCommand(argv: readonly string[]): Promise<number> {
  const command = serviceCommand('schedule', ['config', 'state'])
    .description('Runs a pass whenever it is due, every day at 02:00 unless told otherwise.')
    .option('--cron <expression>', "when runs are due, instead of the configuration's")
    .addHelpText('after', DETAILS);
  withTimeZoneOption(command, 'in which');
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  await withStopSignal((signal) => serve(command.opts<Options>(), signal));
  return 0;
}

async function serve(options: Options, signal: AbortSignal): Promise<void> {
  const config = await readConfig(options);
  const schedule = parseSchedule(options.cron ?? config.schedule.cron, options.timeZone);
  const paths = await openState(stateDirectory(options));
  await using console = new PlainConsole(process.stdout, { timestamps: true });
  const context = watchContext(console, signal);
  const { clock, emit } = context;
  await runScheduler(
    {
      schedule,
      missed: config.schedule.missed,
      keepDays: config.schedule.keepLogDays,
      stateDir: paths.root,
      logDir: paths.log,
      clock,
      say: (line) => emit({ kind: 'output', line }),
      run: async (stop) => {
        // Read again: what an operator has changed since counts from the next run on.
        const wanted = {
          config: await readConfig(options),
          stateDirectory: paths.root,
          ...{ dryRun: false, allowFlood: false, retryUnknown: false },
        };
        const { runWatch } = await import('../../migration/run-watch.ts');
        await runWatch(wanted, { ...context, signal: stop });
      },
    },
    { emit, signal },
  );
}
