/**
 * One watch pass, from the lock to the record.
 *
 *     lock ─▶ settle what a killed run left ─▶ read all repositories at once ─▶ for each system:
 *     seed what is new, compare, submit, and move what is known from the journal to the history
 */
import { promises as fs } from 'node:fs';
import { acquireLock } from '../cache/lock.ts';
import { Failed, failureOf } from '../events/failure.ts';
import { mapBounded } from './bounded.ts';
import { type SourceConfig, systemKey, type TargetConfig } from './config.ts';
import { targetNames } from './history-list.ts';
import { Journal } from './journal.ts';
import {
  type RepositoryAnswer,
  type RepositoryQuestion,
  readRepository,
} from './read-repository.ts';
import { recoverSubmissions } from './recover.ts';
import {
  type RepositoryRecord,
  RUN_RECORD_VERSION,
  type RunOutcome,
  type RunRecord,
  type SystemRecord,
} from './run-record.ts';
import { Seeds } from './seeds.ts';
import { openState, runFile, runSequences, type StatePaths, statePaths } from './state.ts';
import { openTaskLog, type TaskLog } from './task-log.ts';
import type { WatchContext, WatchOptions } from './watch.ts';
import { type TargetPackages, watchSystem } from './watch-system.ts';
import { writeWhole } from './write-file.ts';

/**
 * Runs one pass and records it in the state volume; a dry run takes no lock and writes nothing.
 *
 * Whatever goes wrong on the way is in the record.
 *
 * @throws Failed `lock-busy` when another run is going on, `config` for a state directory that cannot be
 * written.
 */
export async function runWatch(options: WatchOptions, context: WatchContext): Promise<RunRecord> {
  if (options.dryRun) {
    return pass(options, context, {
      paths: statePaths(options.stateDirectory),
      signal: context.signal,
    });
  }
  const paths = await openState(options.stateDirectory);
  await using lock = await acquireLock(
    paths.runLock,
    { waitMs: 0, command: 'migration-update run' },
    context,
  ).catch((error: unknown) => {
    const failure = failureOf(error);
    const { root } = paths;
    throw failure.kind === 'disk-full'
      ? new Failed(
          { kind: 'disk-full', message: explain(error, root), path: root },
          { cause: error },
        )
      : error;
  });
  const signal = AbortSignal.any([context.signal, lock.signal]);
  return await pass(options, context, { paths, signal });
}

interface Place {
  readonly paths: StatePaths;
  readonly signal: AbortSignal;
}

/** What has been found so far; a record can be made of it at any time. */
interface Findings {
  target: RunRecord['target'];
  readonly systems: SystemRecord[];
  error?: string;
}

async function pass(
  options: WatchOptions,
  context: WatchContext,
  place: Place,
): Promise<RunRecord> {
  const { paths } = place;
  const started = context.clock.now();
  const startedMs = performance.now();
  const log = openTaskLog(
    context.emit,
    () => context.clock.now(),
    options.dryRun ? undefined : paths.taskLog,
  );
  const sequence = ((await runSequences(paths)).slice(-1)[0] ?? 0) + 1;
  log.info(`Run ${sequence} starts${options.dryRun ? ': a dry run, which changes nothing' : ''}`);
  const findings: Findings = {
    target: { system: systemKey(options.config.target), repositories: [] },
    systems: [],
  };
  try {
    await watchAll(findings, { options, context, place, log, sequence });
  } catch (error) {
    findings.error = explain(error, paths.root);
    log.warn(findings.error);
  }
  const record: RunRecord = {
    version: RUN_RECORD_VERSION,
    sequence,
    started: started.toISOString(),
    ended: context.clock.now().toISOString(),
    durationMs: Math.round(performance.now() - startedMs),
    outcome: outcomeOf(findings, place.signal.aborted),
    ...findings,
  };
  log.info(`Run ${sequence} ends: ${record.outcome}`);
  if (!options.dryRun) {
    await keepRecord(paths, record).catch((error: unknown) =>
      log.warn(`The record of the run is not kept: ${failureOf(error).message}`),
    );
  }
  return record;
}

function explain(error: unknown, root: string): string {
  const { kind, message, hint } = failureOf(error);
  if (kind === 'disk-full') {
    return `No space left on the device with the state, '${root}': nothing more is submitted. What was is in the journal. Free some space, and run again`;
  }
  return hint === undefined ? message : `${message}. ${hint}`;
}

interface PassNeeds {
  readonly options: WatchOptions;
  readonly context: WatchContext;
  readonly place: Place;
  readonly log: TaskLog;
  readonly sequence: number;
}

async function watchAll(findings: Findings, needs: PassNeeds): Promise<void> {
  const { options, context, place, log, sequence } = needs;
  const { paths, signal } = place;
  const { config } = options;
  const seeds = await Seeds.open(paths.seeded);
  await using journal = await Journal.open(paths.journal, { readOnly: options.dryRun });
  if (!options.dryRun) {
    await recover(journal, needs);
  }
  const sources = config.systems.filter(
    (system) => options.systems?.includes(systemKey(system)) !== false,
  );
  const read = await readAll([config.target, ...sources], needs);
  const targetAnswers = read.get(systemKey(config.target)) ?? [];
  findings.target = {
    system: systemKey(config.target),
    repositories: targetAnswers.map(({ record }) => record),
  };
  const target = targetOf(targetAnswers);
  const pace = { started: 0 };
  for (const source of sources) {
    if (signal.aborted) {
      return;
    }
    findings.systems.push(
      await watchSystem(source, read.get(systemKey(source)) ?? [], {
        ...{ options, context, paths, target, journal, seeds, pace, sequence, log, signal },
        architectures: options.architectures ?? config.architectures,
      }),
    );
  }
}

async function recover(
  journal: Journal,
  { options, context, place, log }: PassNeeds,
): Promise<void> {
  const { submitted, unknown } = await recoverSubmissions(journal, {
    pending: place.paths.pending,
    timeoutMs: options.config.submit.timeoutSeconds * 1000,
    environment: context.environment,
    signal: place.signal,
  });
  if (submitted + unknown > 0) {
    log.warn(
      `A run was killed while it submitted: ${submitted} of its submissions are known now, ${unknown} are held, because they may have been submitted (--retry-unknown submits them again)`,
    );
  }
}

/** Old records make room for new ones. */
const KEPT_RECORDS = 1000;

async function keepRecord(paths: StatePaths, record: RunRecord): Promise<void> {
  await writeWhole(runFile(paths, record.sequence), `${JSON.stringify(record, null, 2)}\n`);
  for (const old of (await runSequences(paths)).slice(0, -KEPT_RECORDS)) {
    await fs.unlink(runFile(paths, old));
  }
}

/** The answers of all enabled repositories, by system, in the order of the configuration. */
async function readAll(
  systems: readonly (TargetConfig | SourceConfig)[],
  { options, context, place, log }: PassNeeds,
): Promise<ReadonlyMap<string, readonly RepositoryAnswer[]>> {
  const { config, dryRun } = options;
  const questions = systems.flatMap((system) =>
    system.repositories
      .filter(({ enabled }) => enabled)
      .map((repository): RepositoryQuestion => {
        return { system, repository, mayKeep: system === config.target };
      }),
  );
  const answers = await mapBounded(questions, config.fetch.parallel, async (question) => {
    const answer = await readRepository(question, {
      paths: place.paths,
      fetch: config.fetch,
      clock: context.clock,
      signal: place.signal,
      environment: context.environment,
      remember: !dryRun,
      warn: log.warn,
    });
    tellRepository(systemKey(question.system), answer.record, log);
    return [systemKey(question.system), answer] as const;
  });
  return new Map(
    systems.map((system) => {
      const key = systemKey(system);
      return [key, answers.flatMap(([name, answer]) => (name === key ? [answer] : []))] as const;
    }),
  );
}

function tellRepository(system: string, record: RepositoryRecord, log: TaskLog): void {
  const { id, state, packages, error, listRead } = record;
  const name = `${system} ${id}`;
  switch (state) {
    case 'read':
      log.info(`${name}: ${packages} packages`);
      return;
    case 'unchanged':
      log.info(`${name}: unchanged, ${packages} packages`);
      return;
    case 'kept':
      log.warn(`${name}: ${error}; its list of ${listRead} stands in`);
      return;
    case 'failed':
      log.warn(`${name}: ${error}`);
  }
}

function targetOf(answers: readonly RepositoryAnswer[]): TargetPackages {
  const missing = answers.filter(({ list }) => list === undefined).map(({ record }) => record.id);
  return missing.length > 0
    ? { missing }
    : { names: targetNames(answers.map(({ list }) => list ?? '')) };
}

function outcomeOf({ error, target, systems }: Findings, isInterrupted: boolean): RunOutcome {
  const repositories = [...target.repositories, ...systems.flatMap((each) => each.repositories)];
  if (isInterrupted) {
    return 'interrupted';
  }
  const isNothingRead = repositories.every(({ state }) => state === 'failed');
  if (error !== undefined || isNothingRead) {
    return 'failed';
  }
  const isWhole =
    repositories.every((each) => each.error === undefined) &&
    systems.every(
      (system) =>
        system.error === undefined &&
        system.architectures.every(({ failed, unknown }) => failed === 0 && unknown === 0),
    );
  return isWhole ? 'ok' : 'partial';
}
