/**
 * Programs that run beside the work that somebody waits for, and take only the processor time that it leaves.
 *
 *     a moment later ──▶ idle ──hurry──▶ as urgent as anything else
 *
 * A moment later, because to start a process holds up the engine itself, which is busy right then: with what was done
 * just before, and what is to be done next.
 *
 * The kernel hands a processor that runs nothing but idle work to whoever wakes up, at once; after `nice` it
 * counts as taken. Source: sched(7), SCHED_IDLE.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import { mayRaise } from './capabilities.ts';
import { runTool } from './process.ts';
import { inUserNamespace } from './user-namespace.ts';

/** Runs $@ as idle work; where no tool for that is installed, as work that is nice. */
const IDLE = 'chrt --idle --pid 0 $$ 2>/dev/null || renice -n 10 -p $$ >/dev/null 2>&1; exec "$@"';

/** Makes the processes $@, and then what they have started by then, as urgent as others. */
const HURRY = `
urgent() { chrt --other --pid 0 "$1" 2>/dev/null || :; }
for leader; do
    urgent "$leader"
    for child in $(cat "/proc/$leader/task/$leader/children" 2>/dev/null); do
        urgent "$child"
    done
done
`;

const MOMENT_MS = 100;

export class Background {
  readonly #running = new Set<number>();
  readonly #hurried = new AbortController();

  /** As `runTool`, which announces nothing. */
  async run(argv: readonly [string, ...string[]], context: Context): Promise<string> {
    await this.#moment();
    if (this.#hurried.signal.aborted) {
      return runTool(argv, context, { announce: false });
    }
    let started: number | undefined;
    const onStart = (pid: number): void => {
      started = pid;
      this.#running.add(pid);
    };
    const words: readonly [string, ...string[]] = mayBecomeUrgent()
      ? ['sh', '-c', IDLE, 'sh', ...argv]
      : ['nice', ...argv];
    try {
      return await runTool(words, context, { announce: false, onStart });
    } finally {
      if (started !== undefined) {
        this.#running.delete(started);
      }
    }
  }

  async #moment(): Promise<void> {
    await sleep(MOMENT_MS, undefined, { signal: this.#hurried.signal }).catch(() => {
      // It is over.
    });
  }

  /** Somebody waits: what runs, and what will be run, is no longer idle. */
  async hurry(context: Context): Promise<void> {
    this.#hurried.abort();
    if (this.#running.size > 0 && mayBecomeUrgent()) {
      const leaders = [...this.#running].map(String);
      const argv = ['sh', '-c', HURRY, 'sh', ...leaders] as const;
      await runTool(argv, context, { announce: false }).catch(() => {
        // It ends all the same, or has been told to stop.
      });
    }
  }
}

/** Whether the kernel lets an idle process of ours be urgent again. */
function mayBecomeUrgent(): boolean {
  const read = (name: string): string => readFileSync(`/proc/self/${name}`, 'utf8');
  return mayRaise({
    status: read('status'),
    limits: read('limits'),
    inNamespace: inUserNamespace(),
  });
}
