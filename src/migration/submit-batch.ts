/**
 * Submits packages: several at a time, each with its attempts, with a pause after so many, and an end when
 * nobody takes them.
 */
import type { SubmitConfig } from './config.ts';
import type { Journal } from './journal.ts';
import type { Intent, Result } from './journal-slots.ts';
import { urlOf } from './package-list.ts';
import { type Attempt, attemptSubmit, forgetAttempt } from './submit-attempt.ts';
import type { PackageStory } from './submit-log.ts';
import type { Clock } from './watch.ts';

/** One package for one architecture. */
export interface Submission {
  readonly architecture: string;
  readonly line: string;
  /** Runs in which it has failed already. */
  readonly failedRuns: number;
}

export type Outcome = 'submitted' | 'failed' | 'unknown';

export interface BatchNeeds {
  readonly system: string;
  readonly job: string;
  readonly submit: SubmitConfig;
  readonly journal: Journal;
  readonly pending: string;
  /** Of this run; makes the names of its files unique. */
  readonly sequence: number;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string>>;
  /** Tells what happened, after it is in the journal. */
  readonly onStory: (submission: Submission, story: PackageStory) => Promise<void>;
  readonly say: (text: string) => void;
}

/** Counts the submissions of a whole run, for its pauses. */
export interface Pace {
  started: number;
}

export interface BatchResult {
  readonly outcomes: readonly (readonly [submission: Submission, outcome: Outcome])[];
  /** Why not everything was tried. */
  readonly stopped?: string;
}

/** The command for one package. Source: migration facts, 2.4. */
export function submitArgv(
  line: string,
  architecture: string,
  { job, submit }: { readonly job: string; readonly submit: SubmitConfig },
): readonly [string, ...string[]] {
  return [
    ...submit.command,
    job,
    `repo_addr=${urlOf(line)}`,
    `os_arch=${architecture}`,
    `testbox=${submit.testbox}`,
    ...submit.arguments,
  ];
}

/**
 * Submits in the given order. Stops, and starts nothing more, when the signal aborts, when `stopAfter` in
 * a row fail, or when it is clear that none can succeed.
 *
 * @throws when the journal or the logs cannot be written; whatever was submitted is in the journal then.
 */
export async function submitBatch(
  submissions: readonly Submission[],
  needs: BatchNeeds,
): Promise<BatchResult> {
  return new Batch(needs).run(submissions);
}

class Batch {
  readonly #needs: BatchNeeds;
  readonly #outcomes: (readonly [Submission, Outcome])[] = [];
  readonly #running = new Set<Promise<void>>();
  #failedInARow = 0;
  #stopped: string | undefined;
  #error: unknown;

  constructor(needs: BatchNeeds) {
    this.#needs = needs;
  }

  async run(submissions: readonly Submission[]): Promise<BatchResult> {
    const { submit, signal, pace } = this.#needs;
    for (const submission of submissions) {
      await this.#pauseIfDue();
      while (this.#running.size >= submit.parallel) {
        await Promise.race(this.#running);
      }
      if (signal.aborted || this.#stopped !== undefined) {
        break;
      }
      pace.started += 1;
      this.#start(submission);
    }
    await Promise.all(this.#running);
    if (this.#error !== undefined) {
      throw this.#error;
    }
    return {
      outcomes: this.#outcomes,
      ...(this.#stopped === undefined ? {} : { stopped: this.#stopped }),
    };
  }

  #start(submission: Submission): void {
    const running = this.#submitOne(submission)
      .catch((error: unknown) => {
        this.#error ??= error;
        this.#stopped ??= 'the state volume cannot be written';
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #pauseIfDue(): Promise<void> {
    const { submit, pace, clock, signal, say } = this.#needs;
    const isDue =
      submit.pauseAfter > 0 && pace.started > 0 && pace.started % submit.pauseAfter === 0;
    if (!isDue || signal.aborted || this.#stopped !== undefined) {
      return;
    }
    await Promise.all(this.#running);
    if (this.#stopped === undefined) {
      say(`${pace.started} submissions: a pause of ${submit.pauseSeconds} s`);
      await clock.sleep(submit.pauseSeconds * 1000, signal);
    }
  }

  async #submitOne(submission: Submission): Promise<void> {
    const { submit, clock, signal, system, pending, sequence } = this.#needs;
    const argv = submitArgv(submission.line, submission.architecture, this.#needs);
    const attempts: Attempt[] = [];
    const slot = this.#needs.pace.started;
    for (let number = 1; number <= submit.attempts; number += 1) {
      if (number > 1) {
        await clock.sleep(submit.retryDelaySeconds * 1000, signal);
        if (signal.aborted || this.#stopped !== undefined) {
          break;
        }
      }
      const intent: Intent = {
        system,
        architecture: submission.architecture,
        line: submission.line,
        pending: `${sequence}-${slot}-${number}`,
      };
      const attempt = await this.#attempt(argv, intent, {
        failedRuns: submission.failedRuns,
        isLast: number === submit.attempts,
      });
      attempts.push(attempt);
      await forgetAttempt(pending, intent.pending);
      if (attempt.verdict.kind !== 'refused') {
        break;
      }
    }
    this.#count(submission, attempts);
    await this.#needs.onStory(submission, { line: submission.line, argv, attempts });
  }

  async #attempt(
    argv: readonly [string, ...string[]],
    intent: Intent,
    detail: { readonly failedRuns: number; readonly isLast: boolean },
  ): Promise<Attempt> {
    const { journal, pending, submit, environment } = this.#needs;
    const conclude = await journal.intend(intent);
    const attempt = await attemptSubmit(argv, intent.pending, {
      pending,
      timeoutMs: submit.timeoutSeconds * 1000,
      environment,
    });
    await conclude(resultOf(attempt, detail));
    return attempt;
  }

  #count(submission: Submission, attempts: readonly Attempt[]): void {
    const { submit } = this.#needs;
    const verdict = attempts[attempts.length - 1]?.verdict;
    const outcome = verdict === undefined ? 'failed' : outcomeOf(verdict.kind);
    this.#outcomes.push([submission, outcome]);
    this.#failedInARow = outcome === 'submitted' ? 0 : this.#failedInARow + 1;
    if (verdict?.kind === 'hopeless') {
      this.#stopped ??= verdict.reason;
    } else if (this.#failedInARow >= submit.stopAfter) {
      this.#stopped ??= `${submit.stopAfter} packages in a row were not taken: ${verdict?.reason}`;
    }
  }
}

function outcomeOf(kind: Attempt['verdict']['kind']): Outcome {
  return kind === 'submitted' || kind === 'unknown' ? kind : 'failed';
}

/** What an attempt came to, for the journal. */
export function resultOf(
  { verdict, output }: Attempt,
  detail: { readonly failedRuns: number; readonly isLast: boolean },
): Result {
  const isCounted = verdict.kind === 'refused' && detail.isLast;
  return {
    outcome: outcomeOf(verdict.kind),
    failedRuns: detail.failedRuns + (isCounted ? 1 : 0),
    jobs: output.jobs,
    resultRoots: output.resultRoots,
    reason: verdict.reason,
  };
}
