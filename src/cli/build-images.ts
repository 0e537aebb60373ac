/** Builds of several images: one process each, some at once, their output kept apart. */

import { createWriteStream } from 'node:fs';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { renderDuration } from '../events/duration.ts';
import { configError } from '../events/failure.ts';
import { quoteWord } from '../events/failure-text.ts';
import { makeDirectories } from '../events/make-directories.ts';
import type { ImageJob } from '../plan/image-file.ts';
import { logNames } from '../plan/image-logs.ts';
import { type Command, eachLine, start, statusOf } from '../sandbox/process.ts';
import { ownEnvironment } from './host-facts.ts';
import { packageRoot } from './package-paths.ts';

export interface BuildImagesOptions {
  readonly atOnce: number;
  /** No other image is started when one has failed. */
  readonly stopOnFailure: boolean;
  /** Where `NAME.log` of each image goes; see `plan/image-logs.ts`. */
  readonly logs?: string;
  readonly signal: AbortSignal;
}

interface Outcome {
  readonly name: string;
  /** Undefined: it was not started. */
  readonly status: number | undefined;
  readonly durationMs: number;
}

/** How long a build may take to clean up after itself before it is killed. */
const GRACE_MS = 60_000;

/** Builds them all; the status of the first that failed, in the order of the files. */
export async function buildImages(
  jobs: readonly ImageJob[],
  options: BuildImagesOptions,
): Promise<number> {
  if (options.logs !== undefined) {
    await makeLogs(options.logs);
  }
  const logs = logNames(jobs.map(({ name }) => name));
  const outcomes: Outcome[] = jobs.map(({ name }) => ({ name, status: undefined, durationMs: 0 }));
  let next = 0;
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job === undefined || options.signal.aborted || (hasFailed && options.stopOnFailure)) {
        return;
      }
      const outcome = await buildOne(job, logs.get(job.name) ?? '', options);
      outcomes[index] = outcome;
      hasFailed ||= outcome.status !== 0;
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.atOnce, jobs.length) }, worker));
  options.signal.throwIfAborted();
  tell(renderOutcomes(outcomes));
  return outcomes.find(({ status }) => status !== undefined && status !== 0)?.status ?? 0;
}

/** The environment and the command line of an image, as a shell would take them (compat). */
export function printJob(job: ImageJob): void {
  const assignments = Object.entries(job.environment).map(([name, value]) => `${name}=${value}`);
  tell(`${[...assignments, job.command, ...job.argv].map(quoteWord).join(' ')}\n\n`);
}

async function makeLogs(directory: string): Promise<void> {
  await makeDirectories(directory).catch((error: Error) => {
    throw configError(`Cannot make the directory for logs '${directory}': ${error.message}`);
  });
}

async function buildOne(
  job: ImageJob,
  logName: string,
  options: BuildImagesOptions,
): Promise<Outcome> {
  printJob(job);
  const started = performance.now();
  const status = await runJob(job, logName, options);
  const durationMs = performance.now() - started;
  return { name: job.name, status, durationMs };
}

async function runJob(
  job: ImageJob,
  logName: string,
  options: BuildImagesOptions,
): Promise<number> {
  const alone = options.atOnce === 1 && options.logs === undefined;
  const program = [process.execPath, path.join(packageRoot, 'bin', job.command)] as const;
  const command: Command = {
    // The build has an end of its own for every signal; this one comes when we are killed.
    argv: ['setpriv', '--pdeathsig', 'TERM', '--', ...program, ...job.argv],
    env: { ...ownEnvironment(), ...job.environment },
    output: alone ? 'terminal' : 'lines',
    stdin: alone ? 'inherit' : 'ignore',
    graceMs: GRACE_MS,
  };
  const running = start(command, options.signal);
  const log = options.logs === undefined ? undefined : openLog(path.join(options.logs, logName));
  const prefix = options.atOnce === 1 ? '' : `${job.name} | `;
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.all, (line) => {
      log?.write(`${line}\n`);
      process.stdout.write(`${prefix}${line}\n`);
    }),
  ]);
  if (log !== undefined) {
    log.end();
    await finished(log).catch((error: Error) => tell(`Cannot write a log: ${error.message}\n`));
  }
  return statusOf(exit);
}

function openLog(file: string): Writable {
  const log = createWriteStream(file, { flags: 'a' });
  // Told when it is closed; until then the build matters more.
  log.on('error', () => {});
  return log;
}

function renderOutcomes(outcomes: readonly Outcome[]): string {
  const width = Math.max(...outcomes.map(({ name }) => name.length));
  const lines = outcomes.map(({ name, status, durationMs }) => {
    const verdict =
      status === undefined
        ? 'not started'
        : status === 0
          ? 'built'
          : `failed with status ${status}`;
    const took = status === undefined ? '' : ` (${renderDuration(durationMs)})`;
    return `${name.padEnd(width)}  ${verdict}${took}\n`;
  });
  return lines.join('');
}

/** On standard error, as upstream does: standard output is the builds'. */
function tell(text: string): void {
  process.stderr.write(text);
}
