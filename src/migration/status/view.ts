/** What `status` shows, from the records of runs and what the scheduler remembers. Pure. */
import type { RepositoryRecord, RunOutcome, RunRecord } from '../run-record.ts';
import type { Memory } from '../schedule/memory.ts';

/** One line: what a run did for one system and architecture. */
export interface StatusRow {
  readonly run: number;
  /** ISO 8601, like all times here. */
  readonly started: string;
  readonly system: string;
  /** Absent when the run came to nothing before it reached an architecture. */
  readonly architecture?: string;
  readonly new: number;
  readonly submitted: number;
  readonly failed: number;
  readonly skipped: number;
  /** Perhaps submitted: held until an operator decides. */
  readonly unknown: number;
  readonly durationMs: number;
  /** The directory in `log/`. */
  readonly log?: string;
  readonly error?: string;
}

export interface StatusRun {
  readonly run: number;
  readonly started: string;
  readonly ended: string;
  readonly durationMs: number;
  readonly outcome: RunOutcome;
  readonly error?: string;
}

/** A repository that the latest run could not read, or read in its place what it had kept. */
export interface StatusTrouble {
  readonly system: string;
  readonly repository: string;
  readonly url: string;
  readonly state: 'kept' | 'failed';
  readonly error?: string;
  /** When the list that stood in was read. */
  readonly listRead?: string;
}

export interface StatusSystem {
  readonly system: string;
  readonly listed: number;
  readonly known: number;
  readonly seeded: number;
  readonly inTarget: number;
  readonly deferred: number;
  readonly error?: string;
}

export interface StatusSchedule {
  readonly expression: string;
  readonly timeZone: string;
  readonly next?: string;
  /** When the run was due that is going on, or was cut short. */
  readonly running?: string;
}

export interface Status {
  /** Newest first. */
  readonly runs: readonly StatusRun[];
  /** Newest run first; within one in the order of the configuration. */
  readonly rows: readonly StatusRow[];
  /** Of the latest run. */
  readonly systems: readonly StatusSystem[];
  readonly troubles: readonly StatusTrouble[];
  readonly schedule?: StatusSchedule;
}

/** `records`: newest first. */
export function statusOf(records: readonly RunRecord[], memory: Memory | undefined): Status {
  const [latest] = records;
  return {
    runs: records.map(runOf),
    rows: records.flatMap(rowsOf),
    systems: latest?.systems.map(({ architectures, repositories, ...counts }) => counts) ?? [],
    troubles: latest === undefined ? [] : troublesOf(latest),
    ...(memory === undefined ? {} : { schedule: scheduleOf(memory) }),
  };
}

function runOf({ sequence, started, ended, durationMs, outcome, error }: RunRecord): StatusRun {
  const why = error === undefined ? {} : { error };
  return { run: sequence, started, ended, durationMs, outcome, ...why };
}

function rowsOf(record: RunRecord): readonly StatusRow[] {
  return record.systems.flatMap(({ system, architectures, error }): StatusRow[] => {
    const why = error === undefined ? {} : { error };
    if (architectures.length === 0) {
      const none = { new: 0, submitted: 0, failed: 0, skipped: 0, unknown: 0, durationMs: 0 };
      return [{ run: record.sequence, started: record.started, system, ...none, ...why }];
    }
    return architectures.map(({ ended, ...row }) => ({
      run: record.sequence,
      system,
      ...row,
      ...why,
    }));
  });
}

function troublesOf(record: RunRecord): readonly StatusTrouble[] {
  const systems = [record.target, ...record.systems];
  return systems.flatMap(({ system, repositories }) =>
    repositories.flatMap((repository) => troubleOf(system, repository)),
  );
}

function troubleOf(
  system: string,
  { id, url, state, error, listRead }: RepositoryRecord,
): readonly StatusTrouble[] {
  if (state !== 'kept' && state !== 'failed') {
    return [];
  }
  return [
    {
      ...{ system, repository: id, url, state },
      ...(error === undefined ? {} : { error }),
      ...(listRead === undefined ? {} : { listRead }),
    },
  ];
}

function scheduleOf({ expression, timeZone, next, running }: Memory): StatusSchedule {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    ...{ expression, timeZone },
    ...(next === undefined ? {} : { next: iso(next) }),
    ...(running === undefined ? {} : { running: iso(running) }),
  };
}
