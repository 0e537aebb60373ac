/** `migration-update status`: what the last runs did. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { usageError } from '../../events/failure.ts';
import { assertTimeZone } from '../../migration/schedule/cron.ts';
import { readMemory } from '../../migration/schedule/memory.ts';
import { memoryFile } from '../../migration/schedule/scheduler.ts';
import { readRunRecords, statePaths } from '../../migration/state.ts';
import { statusOf } from '../../migration/status/view.ts';
import { parseArguments } from '../parse-arguments.ts';
import {
  type ServiceOptions,
  serviceCommand,
  stateDirectory,
  withTimeZoneOption,
} from './service-options.ts';

interface Options extends ServiceOptions {
  readonly runs: string;
  readonly timeZone: string;
  readonly json?: true;
  readonly html?: true | string;
}

const EXAMPLES = `
Examples:
  migration-update status --runs 1
      of the last run
  migration-update status --html status.html
`;

/** Status 0: shown. */
export async function statusCommand(argv: readonly string[]): Promise<number> {
  const command = serviceCommand('status', ['state'])
    .description('Shows what the last runs did for each system and architecture.')
    .option('--runs <count>', 'of so many runs', '7')
    .option('--json', 'as JSON; times are UTC, durations in milliseconds')
    .option('--html [file]', 'as one page that needs no server, to standard output or a file')
    .addHelpText('after', EXAMPLES);
  withTimeZoneOption(command, 'for times');
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  assertTimeZone(options.timeZone);
  const text = await render(options);
  if (typeof options.html === 'string') {
    await writeFile(path.resolve(options.html), text);
  } else {
    process.stdout.write(text);
  }
  return 0;
}

async function render(options: Options): Promise<string> {
  const { timeZone } = options;
  const paths = statePaths(stateDirectory(options));
  const [records, memory] = await Promise.all([
    readRunRecords(paths, countOf(options.runs)),
    readMemory(memoryFile(paths.root)),
  ]);
  const status = statusOf(records, memory);
  if (options.json) {
    return `${JSON.stringify(status, undefined, 2)}\n`;
  }
  if (options.html !== undefined) {
    const { renderPage } = await import('../../migration/status/page.ts');
    return renderPage(status, { timeZone, now: Date.now() });
  }
  const { renderStatus } = await import('../../migration/status/text.ts');
  return `${renderStatus(status, timeZone).join('\n')}\n`;
}

function countOf(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw usageError(`Option '--runs' needs a number from 1: '${text}'`);
  }
  return Number(text);
}
