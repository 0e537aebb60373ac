/**
 * The service: waits, runs, waits.
 *
 *     waiting ──due──▶ running ──ended──▶ waiting
 *        ▲  │ every minute: look at the clock again
 *        └──┘
 *
 * One scheduler per state directory: it holds a lock. A run that fails is told and does not end the
 * service. When the signal is aborted, a wait ends at once and a run as soon as it has written down
 * what it did; a run that was cut short is begun again at the next start, unless missed runs are to be
 * skipped.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { acquireLock } from '../../cache/lock.ts';
import { renderDuration } from '../../events/duration.ts';
import type { Context } from '../../events/event.ts';
import { failureOf } from '../../events/failure.ts';
import { localTime } from '../local-time.ts';
import type { Clock } from '../watch.ts';
import type { Schedule } from './cron.ts';
import { type Decision, decide, type MissedPolicy } from './decide.ts';
import { type Memory, readMemory, writeMemory } from './memory.ts';
import { expiredLogs } from './retention.ts';

export interface SchedulerOptions {
  readonly schedule: Schedule;
  readonly missed: MissedPolicy;
  readonly keepDays: number;
  /** Where `schedule.json` and its lock are; must exist. */
  readonly stateDir: string;
  /** Where the log directories are; may not exist yet. */
  readonly logDir: string;
  readonly clock: Clock;
  /** One pass. Rejects with a Failed when it could not be made; ends early when the signal is aborted. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Told what happens, one line each. */
  readonly say: (line: string) => void;
}

/** Timers do not notice that a clock was set or that the machine slept: so none is longer. */
export const LONGEST_NAP_MS = 60_000;

/**
 * Runs until the signal is aborted.
 *
 * @throws Failed `lock-busy` when another scheduler has this state directory; `config` when what it
 * remembers cannot be read.
 */
export async function runScheduler(
  options: SchedulerOptions,
  context: Pick<Context, 'emit' | 'signal'>,
): Promise<void> {
  const file = memoryFile(options.stateDir);
  await using lock = await acquireLock(
    file,
    { waitMs: 0, command: 'migration-update schedule' },
    context,
  );
  // Somebody who cannot see us may take the lock while our machine sleeps.
  const stop = new AbortController();
  for (const signal of [context.signal, lock.signal]) {
    signal.addEventListener('abort', () => stop.abort(), { once: true });
  }
  if (context.signal.aborted) {
    stop.abort();
  }
  await new Scheduler(options, file, stop.signal).loop();
  if (lock.signal.aborted && !context.signal.aborted) {
    options.say('another scheduler has taken over: ending');
  }
}

/** Where the scheduler of a state directory keeps what it remembers. */
export function memoryFile(stateDir: string): string {
  return path.join(stateDir, 'schedule.json');
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #file: string;
  readonly #signal: AbortSignal;
  #settled = 0;

  constructor(options: SchedulerOptions, file: string, signal: AbortSignal) {
    this.#options = options;
    this.#file = file;
    this.#signal = signal;
  }

  async loop(): Promise<void> {
    await this.#begin();
    let announced = 0;
    while (!this.#signal.aborted) {
      const decision = this.#decide();
      if (decision.kind === 'wait') {
        if (decision.until !== announced) {
          announced = decision.until;
          this.#options.say(`next run: ${this.#local(decision.until)}`);
          await this.#remember({ next: decision.until });
        }
        await this.#nap(decision.until);
      } else {
        await this.#settle(decision);
      }
    }
    this.#options.say('stopped');
  }

  #decide(): Decision {
    const { schedule, clock, missed } = this.#options;
    return decide(schedule, { now: clock.now().getTime(), settled: this.#settled }, missed);
  }

  /** Takes up what was remembered, and the run that was cut short. */
  async #begin(): Promise<void> {
    const { clock, missed, schedule, say } = this.#options;
    const memory = await readMemory(this.#file);
    this.#settled = memory?.settled ?? clock.now().getTime();
    say(`scheduler started: '${schedule.expression}' in ${schedule.timeZone}`);
    if (memory?.running === undefined || this.#signal.aborted) {
      await this.#remember();
    } else if (missed === 'run') {
      say(`the run of ${this.#local(memory.running)} was cut short: going on with it`);
      await this.#run(memory.running);
    } else {
      say(`the run of ${this.#local(memory.running)} was cut short: skipped`);
      await this.#remember();
    }
  }

  async #settle(decision: Exclude<Decision, { kind: 'wait' }>): Promise<void> {
    const { clock, say } = this.#options;
    if (decision.kind === 'forget') {
      say(
        `the clock was wrong: something was run at ${this.#local(decision.settled)}; starting over`,
      );
      this.#settled = clock.now().getTime();
      await this.#remember();
      return;
    }
    if (decision.missed > 0) {
      const what = decision.kind === 'run' ? 'running once now' : 'skipped';
      say(`missed ${decision.missed} of the runs up to ${this.#local(decision.due)}: ${what}`);
    }
    this.#settled = decision.due;
    if (decision.kind === 'run') {
      await this.#run(decision.due);
    } else {
      await this.#remember();
    }
  }

  async #run(due: number): Promise<void> {
    const { clock, run, say } = this.#options;
    await this.#remember({ running: due });
    await this.#removeOldLogs();
    const started = clock.now().getTime();
    say(`run of ${this.#local(due)} started`);
    try {
      await run(this.#signal);
      say(
        `run of ${this.#local(due)} ended after ${renderDuration(clock.now().getTime() - started)}`,
      );
    } catch (error) {
      const { message, hint } = failureOf(error);
      say(`run of ${this.#local(due)} failed: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    }
    if (!this.#signal.aborted) {
      await this.#remember();
    }
  }

  /** Never the reason that a run does not happen. */
  async #removeOldLogs(): Promise<void> {
    const { clock, keepDays, logDir, say } = this.#options;
    const entries = await readdir(logDir, { withFileTypes: true }).catch(() => []);
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    for (const name of expiredLogs(names, keepDays, clock.now())) {
      await rm(path.join(logDir, name), { recursive: true, force: true }).then(
        () => say(`removed ${name}: older than ${keepDays} days`),
        (error: Error) => say(`cannot remove ${name}: ${error.message}`),
      );
    }
  }

  async #remember(more: Pick<Memory, 'running' | 'next'> = {}): Promise<void> {
    const { expression, timeZone } = this.#options.schedule;
    await writeMemory(this.#file, { settled: this.#settled, expression, timeZone, ...more });
  }

  async #nap(until: number): Promise<void> {
    const { clock } = this.#options;
    const ms = Math.min(until - clock.now().getTime(), LONGEST_NAP_MS);
    await clock.sleep(Math.max(0, ms), this.#signal);
  }

  #local(ms: number): string {
    return localTime(ms, this.#options.schedule.timeZone);
  }
}
