/** `migration-update run`: one watch pass, now. */
import { Failed, usageError } from '../../events/failure.ts';
import { PlainConsole } from '../../events/plain-console.ts';
import { type MigrationConfig, systemKey } from '../../migration/config.ts';
import type { RunRecord } from '../../migration/run-record.ts';
import type { WatchOptions } from '../../migration/watch.ts';
import { parseArguments } from '../parse-arguments.ts';
import { withStopSignal } from '../stop-signal.ts';
import {
  readConfig,
  type ServiceOptions,
  serviceCommand,
  stateDirectory,
  watchContext,
} from './service-options.ts';

const DETAILS = `
Examples:
  migration-update run --dry-run
      what is new, and nothing is submitted
  migration-update run --only fedora_40 --arch aarch64
      one system, one architecture

Status: 0 everything that was new is submitted; 1 something failed or is held back, see 'migration-update
status'; 2 usage or configuration; 5 another run is going on; 128+n ended by signal n.
`;

interface Options extends ServiceOptions {
  readonly dryRun?: true;
  readonly only?: readonly string[];
  readonly arch?: readonly string[];
  readonly allowFlood?: true;
  readonly retryUnknown?: true;
  readonly json?: true;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Status 0: everything was read, and everything to be submitted is. */
export async function runVerb(argv: readonly string[]): Promise<number> {
  const command = serviceCommand('run', ['config', 'state'])
    .description('Reads all repositories, and submits the packages that are new.')
    .option('-n, --dry-run', 'say what would be submitted; change and submit nothing')
    .option('--only <system>', 'only this system, such as fedora_40; may be repeated', collect)
    .option('--arch <architecture>', 'only this architecture; may be repeated', collect)
    .option('--allow-flood', 'submit although more is new than limits.newPercent allows')
    .option('--retry-unknown', 'submit again what may have been submitted already')
    .option('--json', 'print the record of the run; what happens is told on standard error')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  const config = await readConfig(options);
  const { runWatch } = await import('../../migration/run-watch.ts');
  return await withStopSignal(async (signal) => {
    await using console = new PlainConsole(options.json ? process.stderr : process.stdout, {
      timestamps: false,
    });
    const record = await runWatch(watchOptions(options, config), watchContext(console, signal));
    if (options.json) {
      process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
    }
    return statusOf(record, signal);
  });
}

function watchOptions(options: Options, config: MigrationConfig): WatchOptions {
  const { only: systems, arch: architectures } = options;
  refuseUnknown('--only', systems, config.systems.map(systemKey));
  refuseUnknown('--arch', architectures, config.architectures);
  return {
    config,
    stateDirectory: stateDirectory(options),
    dryRun: options.dryRun === true,
    allowFlood: options.allowFlood === true,
    retryUnknown: options.retryUnknown === true,
    ...(systems === undefined ? {} : { systems }),
    ...(architectures === undefined ? {} : { architectures }),
  };
}

function refuseUnknown(
  option: string,
  given: readonly string[] | undefined,
  known: readonly string[],
): void {
  const unknown = given?.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const message = `Option '${option}' names what is not configured: '${unknown}'`;
    throw usageError(message, `There is: ${known.join(', ')}`);
  }
}

/** The record tells the rest: one that failed is no crash. */
function statusOf(record: RunRecord, signal: AbortSignal): number {
  if (signal.aborted) {
    throw signal.reason instanceof Failed ? signal.reason : new Error('Interrupted');
  }
  return record.outcome === 'ok' ? 0 : 1;
}
