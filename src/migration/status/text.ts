/** `status` as text: pure. */
import { renderDuration } from '../../events/duration.ts';
import { localTime } from '../local-time.ts';
import type { Status, StatusRow } from './view.ts';

/** The columns that a table of rows has, here and on the page. */
export const COLUMNS: readonly {
  readonly title: string;
  readonly numeric: boolean;
  readonly of: (row: StatusRow, timeZone: string) => string;
}[] = [
  { title: 'Run', numeric: true, of: (row) => String(row.run) },
  { title: 'Started', numeric: false, of: (row, timeZone) => localTime(row.started, timeZone) },
  { title: 'System', numeric: false, of: (row) => row.system },
  { title: 'Architecture', numeric: false, of: (row) => row.architecture ?? '-' },
  { title: 'New', numeric: true, of: (row) => String(row.new) },
  { title: 'Submitted', numeric: true, of: (row) => String(row.submitted) },
  { title: 'Failed', numeric: true, of: (row) => String(row.failed) },
  { title: 'Skipped', numeric: true, of: (row) => String(row.skipped) },
  { title: 'Unknown', numeric: true, of: (row) => String(row.unknown) },
  { title: 'Duration', numeric: true, of: (row) => renderDuration(row.durationMs) },
];

/** Times are in `timeZone`. */
export function renderStatus(status: Status, timeZone: string): readonly string[] {
  return [
    ...scheduleLines(status, timeZone),
    ...runLines(status, timeZone),
    ...table(status.rows, timeZone),
    ...noteLines(status),
    ...problemLines(status, timeZone),
  ];
}

/** Sentences on the scheduler; for the page too. */
export function scheduleLines({ schedule }: Status, timeZone: string): readonly string[] {
  if (schedule === undefined) {
    return ['Scheduler: has not been started yet'];
  }
  const { expression, next, running } = schedule;
  const when = `'${expression}' in ${schedule.timeZone}`;
  if (running !== undefined) {
    return [
      `Scheduler: ${when}; the run of ${localTime(running, timeZone)} is going on, or was cut short`,
    ];
  }
  const coming = next === undefined ? '' : `; next run ${localTime(next, timeZone)}`;
  return [`Scheduler: ${when}${coming}`];
}

/** Sentences on the latest run; for the page too. */
export function runLines({ runs }: Status, timeZone: string): readonly string[] {
  const [latest] = runs;
  if (latest === undefined) {
    return ['Last run: none yet'];
  }
  const { run, started, durationMs, outcome, error } = latest;
  const why = error === undefined ? '' : `: ${error}`;
  const when = `${localTime(started, timeZone)}, ${renderDuration(durationMs)}`;
  return [`Last run: number ${run}, ${when}, ${outcome}${why}`];
}

/** What the table of submissions does not tell of the latest run. The page has a table of it. */
export function noteLines({ systems }: Status): readonly string[] {
  return systems.flatMap(({ system, seeded, deferred }) => [
    ...(seeded > 0
      ? [`${system}: ${seeded} packages of repositories that are new are noted, and not submitted`]
      : []),
    ...(deferred > 0 ? [`${system}: ${deferred} packages wait for a later run`] : []),
  ]);
}

/** What is wrong, one sentence each; for the page too. */
export function problemLines(status: Status, timeZone: string): readonly string[] {
  const repositories = status.troubles.map(({ system, repository, state, error, listRead }) => {
    const kept =
      state === 'kept' && listRead !== undefined
        ? `; used the list of ${localTime(listRead, timeZone)}`
        : '';
    return `Problem: ${system}: repository '${repository}' could not be read: ${error ?? 'unknown reason'}${kept}`;
  });
  const systems = status.systems.flatMap(({ system, error }) =>
    error === undefined ? [] : [`Problem: ${system}: ${error}`],
  );
  return [...systems, ...repositories];
}

function table(rows: readonly StatusRow[], timeZone: string): readonly string[] {
  if (rows.length === 0) {
    return [];
  }
  const lines = [
    COLUMNS.map(({ title }) => title),
    ...rows.map((row) => COLUMNS.map((column) => column.of(row, timeZone))),
  ];
  const widths = COLUMNS.map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  const rendered = lines.map((line) =>
    line
      .map((cell, index) =>
        COLUMNS[index]?.numeric
          ? cell.padStart(widths[index] ?? 0)
          : cell.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return ['', ...rendered, ''];
}
