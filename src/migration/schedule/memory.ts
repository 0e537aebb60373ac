/**
 * What the scheduler remembers across restarts: `schedule.json` beside the runs.
 *
 * Written before a run begins and after it has ended, each time whole, so that a restart knows of a
 * run that was cut short.
 */
import { configError } from '../../events/failure.ts';
import { readIfThere, writeWhole } from '../write-file.ts';

export interface Memory {
  /** The latest occurrence that was run or skipped, or when scheduling began; ms since the epoch. */
  readonly settled: number;
  /** The occurrence whose run has begun and not ended. */
  readonly running?: number;
  /** The next occurrence; for people and `status`. */
  readonly next?: number;
  /** As configured when this was written; for `status`. */
  readonly expression: string;
  readonly timeZone: string;
}

const VERSION = 1;

/**
 * What was remembered; undefined before the first time.
 *
 * @throws Failed `config` when the file is there and is not ours to understand.
 */
export async function readMemory(file: string): Promise<Memory | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) {
    return undefined;
  }
  const value = parse(text);
  if (value === undefined) {
    throw configError('Cannot read what the scheduler remembers', {
      at: { file },
      hint: 'Remove the file: the schedule then begins anew, and no run is made up for',
    });
  }
  return value;
}

/** Replaces the file. Only the holder of the scheduler's lock may. */
export async function writeMemory(file: string, memory: Memory): Promise<void> {
  const { settled, running, next, ...rest } = memory;
  const times = { settled: iso(settled), running: iso(running), next: iso(next) };
  await writeWhole(file, `${JSON.stringify({ version: VERSION, ...times, ...rest })}\n`);
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function parse(text: string): Memory | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const settled = time(value?.settled);
  if (settled === undefined || value.version !== VERSION) {
    return undefined;
  }
  const running = time(value.running);
  const next = time(value.next);
  return {
    settled,
    ...(running === undefined ? {} : { running }),
    ...(next === undefined ? {} : { next }),
    expression: String(value.expression),
    timeZone: String(value.timeZone),
  };
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
