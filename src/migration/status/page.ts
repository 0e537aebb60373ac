/** `status --html`: one page that needs no server, no script and no other file. Pure. */
import { renderDuration } from '../../events/duration.ts';
import { localTime } from '../local-time.ts';
import { COLUMNS, problemLines, runLines, scheduleLines } from './text.ts';
import type { Status, StatusRow, StatusSystem } from './view.ts';

const STYLE = `
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
  table { border-collapse: collapse; margin: 1rem 0; width: 100%; }
  caption { font-weight: 600; padding: .5rem 0; text-align: left; }
  th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left; }
  .number { font-variant-numeric: tabular-nums; text-align: right; }
  .bad { color: #c22; font-weight: 600; }
  .first td { border-top: 2px solid #888a; }
  @media (prefers-color-scheme: dark) { .bad { color: #f77; } }
`;

export interface PageOptions {
  readonly timeZone: string;
  /** When the page was made; ms since the epoch. */
  readonly now: number;
}

export function renderPage(status: Status, { timeZone, now }: PageOptions): string {
  const problems = problemLines(status, timeZone).map(
    (line) => `  <li class="bad">${escapeHtml(line)}</li>`,
  );
  const sentences = [...scheduleLines(status, timeZone), ...runLines(status, timeZone)];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>Package migration</title>',
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<h1>Package migration</h1>',
    ...sentences.map((line) => `<p>${escapeHtml(line)}</p>`),
    ...(problems.length === 0 ? [] : ['<ul>', ...problems, '</ul>']),
    ...submissions(status.rows, timeZone),
    ...systems(status.systems),
    ...runs(status, timeZone),
    `<p><small>Written ${escapeHtml(`${localTime(now, timeZone)} ${timeZone}`)}</small></p>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

interface Cell {
  readonly text: string;
  readonly numeric?: boolean;
  readonly bad?: boolean;
}

function submissions(rows: readonly StatusRow[], timeZone: string): readonly string[] {
  const body = rows.map((row, index) => ({
    first: index > 0 && rows[index - 1]?.run !== row.run,
    cells: COLUMNS.map(({ title, numeric, of }): Cell => {
      const bad =
        (title === 'Failed' && row.failed > 0) || (title === 'Unknown' && row.unknown > 0);
      return { text: of(row, timeZone), numeric, bad };
    }),
  }));
  return table('Submissions', COLUMNS, body);
}

function systems(rows: readonly StatusSystem[]): readonly string[] {
  const titles = ['System', 'Listed', 'Known', 'Seeded', 'In the target', 'Deferred'];
  const body = rows.map(({ system, listed, known, seeded, inTarget, deferred }) => ({
    first: false,
    cells: [
      { text: system },
      ...[listed, known, seeded, inTarget, deferred].map((count) => ({
        text: String(count),
        numeric: true,
      })),
    ],
  }));
  const columns = titles.map((title) => ({ title, numeric: title !== 'System' }));
  return table('Packages of the last run', columns, body);
}

function runs(status: Status, timeZone: string): readonly string[] {
  const columns = ['Run', 'Started', 'Duration', 'Outcome', 'Reason'].map((title) => ({
    title,
    numeric: title === 'Run' || title === 'Duration',
  }));
  const body = status.runs.map(({ run, started, durationMs, outcome, error }) => ({
    first: false,
    cells: [
      { text: String(run), numeric: true },
      { text: localTime(started, timeZone) },
      { text: renderDuration(durationMs), numeric: true },
      { text: outcome, bad: outcome !== 'ok' },
      { text: error ?? '' },
    ],
  }));
  return table('Runs', columns, body);
}

function table(
  caption: string,
  columns: readonly { readonly title: string; readonly numeric: boolean }[],
  body: readonly { readonly first: boolean; readonly cells: readonly Cell[] }[],
): readonly string[] {
  if (body.length === 0) {
    return [];
  }
  const head = columns.map(
    ({ title, numeric }) => `<th scope="col"${classes({ numeric })}>${escapeHtml(title)}</th>`,
  );
  return [
    '<table>',
    `<caption>${escapeHtml(caption)}</caption>`,
    `<thead><tr>${head.join('')}</tr></thead>`,
    '<tbody>',
    ...body.map(({ first, cells }) => {
      const row = cells.map((cell) => `<td${classes(cell)}>${escapeHtml(cell.text)}</td>`);
      return `<tr${first ? ' class="first"' : ''}>${row.join('')}</tr>`;
    }),
    '</tbody>',
    '</table>',
  ];
}

function classes({ numeric, bad }: Omit<Cell, 'text'>): string {
  const names = [...(numeric ? ['number'] : []), ...(bad ? ['bad'] : [])];
  return names.length === 0 ? '' : ` class="${names.join(' ')}"`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for attributes. Names and addresses come from others' servers. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
