/** Who gets the events of a build: the console, the log file, the events file. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { ciSystem } from '../events/ci-log.ts';
import { JsonLines } from '../events/json-lines.ts';
import { LogFile } from '../events/log-file.ts';
import { PlainConsole } from '../events/plain-console.ts';
import type { Reader } from '../events/reader.ts';
import { describeTerminal } from '../events/terminal.ts';
import { cannotOpen } from '../events/unwritable.ts';
import { PHASES } from '../phases/table.ts';
import type { ShowPlan } from '../plan/build-plan.ts';
import { ownEnvironment } from './host-facts.ts';

/** Opens the readers that the plan asks for. @throws Failed `config` for a file that cannot be written. */
export async function openReaders(show: ShowPlan, eventsFile?: string): Promise<readonly Reader[]> {
  const files: Reader[] = [];
  if (eventsFile !== undefined) {
    files.push(await openEventsFile(eventsFile));
  }
  if (show.logFile !== undefined) {
    files.push(new LogFile(show.logFile));
    process.stdout.write(`Output logs going to: ${show.logFile}\n`);
  }
  return show.quiet ? files : [...files, await openConsole(show)];
}

async function openConsole(show: ShowPlan): Promise<Reader> {
  const environment = ownEnvironment();
  const terminal = describeTerminal(process.stdout.isTTY === true, environment);
  const system = ciSystem(environment);
  if (!terminal.live || show.trace > 0 || system !== undefined) {
    const workspace = environment.GITHUB_WORKSPACE ?? process.cwd();
    const ci = system === undefined ? undefined : { system, workspace };
    return new PlainConsole(process.stdout, { timestamps: show.timestamps, ci });
  }
  const { openLiveView } = await import('../events/live-view.ts');
  return openLiveView(process.stdout, { terminal, phases: PHASES.map((phase) => phase.name) });
}

/** How long a file may take to open before it is said what is waited for: a named pipe opens when somebody reads it. */
const SOON_MS = 1000;

async function openEventsFile(file: string): Promise<Reader> {
  const name = `the events file '${file}'`;
  const stream = createWriteStream(file);
  const late = setTimeout(() => {
    process.stderr.write(`Waiting for a reader of ${name}\n`);
  }, SOON_MS);
  try {
    await once(stream, 'open');
  } catch (error) {
    throw cannotOpen({ name, path: file, option: '--events' }, error);
  } finally {
    clearTimeout(late);
  }
  return new JsonLines(stream, name);
}
