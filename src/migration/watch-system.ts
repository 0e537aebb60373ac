/** One source system in a watch pass: from the lists of its repositories to its part of the record. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Choice, chooseSubmissions, floodReason } from './choose.ts';
import { type SourceConfig, systemKey } from './config.ts';
import { type Difference, difference } from './difference.ts';
import type { Journal } from './journal.ts';
import { fileOf, mergeLists } from './package-list.ts';
import type { RepositoryAnswer } from './read-repository.ts';
import type { ArchitectureRecord, SystemRecord } from './run-record.ts';
import type { ReadList, Seeds } from './seeds.ts';
import { type StatePaths, submitLogName } from './state.ts';
import {
  type BatchResult,
  type Outcome,
  type Pace,
  type Submission,
  submitArgv,
  submitBatch,
} from './submit-batch.ts';
import { makeLogDirectory, SubmitLog } from './submit-log.ts';
import { SystemHistory } from './system-history.ts';
import type { TaskLog } from './task-log.ts';
import type { WatchContext, WatchOptions } from './watch.ts';

/** The target's packages, as far as they are known. */
export type TargetPackages =
  | { readonly names: ReadonlySet<string> }
  | { readonly missing: readonly string[] };

export interface SystemNeeds {
  readonly options: WatchOptions;
  readonly context: WatchContext;
  readonly paths: StatePaths;
  readonly architectures: readonly string[];
  readonly target: TargetPackages;
  readonly journal: Journal;
  readonly seeds: Seeds;
  readonly pace: Pace;
  readonly sequence: number;
  readonly log: TaskLog;
  readonly signal: AbortSignal;
}

/** @throws when the state volume cannot be written. */
export function watchSystem(
  source: SourceConfig,
  answers: readonly RepositoryAnswer[],
  needs: SystemNeeds,
): Promise<SystemRecord> {
  return new SystemPass(source, answers, needs).run();
}

class SystemPass {
  readonly #source: SourceConfig;
  readonly #system: string;
  readonly #answers: readonly RepositoryAnswer[];
  readonly #needs: SystemNeeds;
  readonly #started: Date;
  readonly #startedMs = performance.now();

  constructor(source: SourceConfig, answers: readonly RepositoryAnswer[], needs: SystemNeeds) {
    this.#source = source;
    this.#system = systemKey(source);
    this.#answers = answers;
    this.#needs = needs;
    this.#started = needs.context.clock.now();
  }

  async run(): Promise<SystemRecord> {
    const { options, paths, seeds, log } = this.#needs;
    const { dryRun } = options;
    const history = await SystemHistory.open(this.#source, {
      paths,
      seeds,
      now: this.#started,
      dryRun,
    });
    const lists = this.#lists();
    const seeded = await history.seed(lists);
    const seededPackages = seeded.reduce((sum, [, packages]) => sum + packages, 0);
    for (const [id, packages] of seeded) {
      log.info(
        `${this.#system}: ${packages} packages of ${id}, which is new, ${dryRun ? 'would be' : 'are'} noted and not submitted`,
      );
    }
    const lines = mergeLists(lists.map(({ list }) => list));
    const { target } = this.#needs;
    const found = difference(lines, history.list, 'names' in target ? target.names : new Set());
    for (const note of await history.mend(found, this.#isComplete())) {
      log.warn(note);
    }
    const choice = this.#choose(found.fresh);
    const problem = this.#problem(found, choice, lines.length);
    const submissions = problem?.isFinal === true ? [] : choice.submissions;
    const batch = dryRun ? this.#pretend(submissions) : await this.#submit(submissions);
    if (!dryRun) {
      await this.#conclude(history, batch.result, found.fresh);
    }
    const errors = [problem?.text, batch.result.stopped].filter((text) => text !== undefined);
    const record: SystemRecord = {
      system: this.#system,
      repositories: this.#answers.map((answer) => answer.record),
      listed: lines.length,
      known: found.known - seededPackages,
      seeded: seededPackages,
      inTarget: found.inTarget,
      deferred: problem?.isFinal === true ? choice.packages : choice.deferred,
      architectures: this.#needs.architectures.map((architecture) =>
        this.#architecture(architecture, { found, choice, batch }),
      ),
      ...(errors.length === 0 ? {} : { error: errors.join('; ') }),
    };
    this.#tell(record);
    return record;
  }

  #lists(): readonly ReadList[] {
    return this.#answers.flatMap(({ record, list }) =>
      list === undefined ? [] : [{ id: record.id, list }],
    );
  }

  #isComplete(): boolean {
    return this.#answers.every(({ list }) => list !== undefined);
  }

  #choose(fresh: readonly string[]): Choice {
    const { options, architectures, journal } = this.#needs;
    return chooseSubmissions(fresh, {
      architectures,
      about: (architecture, file) => journal.about(this.#system, architecture, file)?.result,
      packagesPerRun: options.config.limits.packagesPerRun,
      giveUpAfterRuns: options.config.submit.giveUpAfterRuns,
      retryUnknown: options.retryUnknown,
    });
  }

  /** What speaks against submitting; `isFinal` when nothing may be submitted. */
  #problem(
    found: Difference,
    choice: Choice,
    listed: number,
  ): { readonly text: string; readonly isFinal: boolean } | undefined {
    const { options, target } = this.#needs;
    if (choice.packages > 0 && 'missing' in target) {
      const missing = target.missing.join(', ');
      const text = `It is not known what the target has (${missing}): nothing is submitted`;
      return { text, isFinal: true };
    }
    const flood = floodReason(choice.packages, listed, options.config.limits);
    if (flood !== undefined && !options.allowFlood) {
      return { text: flood, isFinal: true };
    }
    if (choice.submissions.length > 0 && !existsSync(this.#source.job)) {
      return {
        text: `There is no job '${this.#source.job}': 'jobDirectory' or 'job' in the configuration says where it is`,
        isFinal: true,
      };
    }
    const [unclear] = found.ambiguous;
    if (unclear !== undefined) {
      const [{ lineNumber }, candidates] = unclear;
      const files = candidates.slice(0, 3).map(fileOf).join(', ');
      const text = `Line ${lineNumber} of the history is half a line, which may be ${candidates.length} packages (${files}): they are not submitted. Complete the line, or remove it`;
      return { text, isFinal: false };
    }
    return undefined;
  }

  #pretend(submissions: readonly Submission[]): Batch {
    const { options, log } = this.#needs;
    for (const { line, architecture } of submissions) {
      const argv = submitArgv(line, architecture, {
        job: this.#source.job,
        submit: options.config.submit,
      });
      log.info(`Would run: ${argv.join(' ')}`);
    }
    return { result: { outcomes: [] }, logs: new Map() };
  }

  async #submit(submissions: readonly Submission[]): Promise<Batch> {
    const { options, context, paths, journal, pace, sequence, log, signal } = this.#needs;
    if (submissions.length === 0) {
      return { result: { outcomes: [] }, logs: new Map() };
    }
    const logs = await this.#openLogs(submissions);
    const result = await submitBatch(submissions, {
      system: this.#system,
      job: this.#source.job,
      submit: options.config.submit,
      journal,
      pending: paths.pending,
      sequence,
      pace,
      clock: context.clock,
      signal,
      environment: context.environment,
      onStory: async ({ architecture }, story) => logs.get(architecture)?.log.add(story),
      say: log.info,
    });
    await Promise.all([...logs.values()].map((each) => each.log.close()));
    return { result, logs: new Map([...logs].map(([name, { directory }]) => [name, directory])) };
  }

  async #openLogs(
    submissions: readonly Submission[],
  ): Promise<ReadonlyMap<string, { readonly directory: string; readonly log: SubmitLog }>> {
    const { paths, architectures, context } = this.#needs;
    const now = context.clock.now();
    const logs = new Map<string, { readonly directory: string; readonly log: SubmitLog }>();
    for (const name of architectures) {
      if (submissions.some(({ architecture }) => architecture === name)) {
        const wanted = submitLogName(this.#source, name, now);
        const directory = await makeLogDirectory(paths.log, wanted);
        logs.set(name, { directory, log: new SubmitLog(path.join(paths.log, directory)) });
      }
    }
    return logs;
  }

  /** From the journal to the history: what has been submitted for every architecture. */
  async #conclude(
    history: SystemHistory,
    result: BatchResult,
    fresh: readonly string[],
  ): Promise<void> {
    const { journal } = this.#needs;
    if (!result.outcomes.some(([, outcome]) => outcome === 'submitted')) {
      this.#forgive(result);
    }
    const wanted = new Set(fresh.map(fileOf));
    const done = new Map<string, string>();
    const dropped = new Set<string>();
    for (const [file, line] of new Map(this.#journalLines())) {
      const outcomes = this.#outcomesOf(file);
      const isSubmitted = outcomes.some((outcome) => outcome === 'submitted');
      const isGone = this.#isComplete() && !wanted.has(file);
      if (isSubmitted && (isGone || outcomes.every((outcome) => outcome === 'submitted'))) {
        done.set(file, line);
      } else if (isGone) {
        dropped.add(file);
      }
    }
    await history.add([...done.values()]);
    const before = journal.ofSystem(this.#system).length;
    if (before > 0) {
      await journal.compact(({ intent }) => {
        const file = fileOf(intent.line);
        return intent.system !== this.#system || !(done.has(file) || dropped.has(file));
      });
    }
  }

  #journalLines(): readonly (readonly [file: string, line: string])[] {
    const known = this.#needs.journal.ofSystem(this.#system);
    return known.map(({ intent }) => [fileOf(intent.line), intent.line] as const);
  }

  #outcomesOf(file: string): readonly (Outcome | undefined)[] {
    const { options, journal } = this.#needs;
    return options.config.architectures.map(
      (architecture) => journal.about(this.#system, architecture, file)?.result?.outcome,
    );
  }

  /** When nobody's package was taken, the fault is not the packages'. */
  #forgive({ outcomes }: BatchResult): void {
    const { journal } = this.#needs;
    for (const [{ architecture, line, failedRuns }] of outcomes) {
      const known = journal.about(this.#system, architecture, fileOf(line));
      if (known?.result?.outcome === 'failed') {
        journal.settle(known.intent, { ...known.result, failedRuns });
      }
    }
  }

  #architecture(architecture: string, { found, choice, batch }: Numbers): ArchitectureRecord {
    const count = (wanted: Outcome): number =>
      batch.result.outcomes.filter(
        ([submission, outcome]) => submission.architecture === architecture && outcome === wanted,
      ).length;
    const log = batch.logs.get(architecture);
    return {
      architecture,
      new: found.fresh.length - (choice.submitted[architecture] ?? 0),
      submitted: count('submitted'),
      failed: count('failed'),
      skipped: found.inTarget + (choice.givenUp[architecture] ?? 0),
      unknown: count('unknown') + (choice.unknown[architecture] ?? 0),
      started: this.#started.toISOString(),
      ended: this.#needs.context.clock.now().toISOString(),
      durationMs: Math.round(performance.now() - this.#startedMs),
      ...(log === undefined ? {} : { log }),
    };
  }

  #tell(record: SystemRecord): void {
    const { log } = this.#needs;
    for (const each of record.architectures) {
      const { architecture, submitted, failed, skipped, unknown } = each;
      log.info(
        `${record.system} ${architecture}: ${each.new} new, ${submitted} submitted, ${failed} failed, ${unknown} unknown, ${skipped} skipped`,
      );
    }
    if (record.error !== undefined) {
      log.warn(`${record.system}: ${record.error}`);
    }
  }
}

interface Batch {
  readonly result: BatchResult;
  /** The names of the log directories, by architecture. */
  readonly logs: ReadonlyMap<string, string>;
}

interface Numbers {
  readonly found: Difference;
  readonly choice: Choice;
  readonly batch: Batch;
}
