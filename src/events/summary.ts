/** The few lines at the end: what was built, where, and what took the time. */
import { displayText } from './display-text.ts';
import { renderDuration, renderSize } from './duration.ts';
import type { BuildEvent, EventBody } from './event.ts';
import type { HookTiming } from './profile.ts';

/** A phase, or a step of ours outside the phases. */
export interface StageTiming {
  readonly name: string;
  readonly durationMs: number;
}

/** A hook that has ended, with where it ran and who brought it. */
export interface RunHook extends HookTiming {
  readonly phase: string;
  readonly element?: string;
}

/** What the summary tells, and what it takes to gather that. */
export interface BuildFacts {
  readonly start?: Extract<EventBody, { kind: 'build-start' }>;
  readonly artifacts: readonly Extract<EventBody, { kind: 'artifact' }>[];
  /** In the order in which they ended. */
  readonly stages: readonly StageTiming[];
  /** In the order in which they ended. */
  readonly hooks: readonly RunHook[];
  readonly warnings: number;
  readonly end?: Extract<EventBody, { kind: 'build-end' }>;
  /** What is under way. */
  readonly open: { readonly phase?: string; readonly element?: string };
  /** What the open steps are called, by their short names. */
  readonly steps: Readonly<Record<string, string>>;
}

/** The facts before the first event. */
export const NO_FACTS: BuildFacts = {
  artifacts: [],
  stages: [],
  hooks: [],
  warnings: 0,
  open: {},
  steps: {},
};

/** The facts with those of one more event. Output lines leave no trace. */
export function addFact(facts: BuildFacts, event: BuildEvent): BuildFacts {
  switch (event.kind) {
    case 'build-start':
      return { ...NO_FACTS, start: event };
    case 'message':
      return event.level === 'warning' ? { ...facts, warnings: facts.warnings + 1 } : facts;
    case 'phase-start':
      return { ...facts, open: { phase: event.phase } };
    case 'hook-start': {
      const { element: _before, ...open } = facts.open;
      const element = event.element === undefined ? {} : { element: event.element };
      return { ...facts, open: { ...open, ...element } };
    }
    case 'hook-end': {
      const { hook, durationMs } = event;
      const { phase = '', element } = facts.open;
      const from = element === undefined ? {} : { element };
      return { ...facts, hooks: [...facts.hooks, { hook, durationMs, phase, ...from }] };
    }
    case 'phase-end':
      return { ...withStage(facts, event.phase, event.durationMs), open: {} };
    case 'step-start':
      return { ...facts, steps: { ...facts.steps, [event.step]: event.detail } };
    case 'step-end':
      // What runs inside a phase is part of its time.
      return facts.open.phase === undefined
        ? withStage(facts, facts.steps[event.step] ?? event.step, event.durationMs)
        : facts;
    case 'artifact':
      return { ...facts, artifacts: [...facts.artifacts, event] };
    case 'build-end':
      return { ...facts, end: event };
    default:
      return facts;
  }
}

function withStage(facts: BuildFacts, name: string, durationMs: number): BuildFacts {
  return { ...facts, stages: [...facts.stages, { name, durationMs }] };
}

/** The facts of all events of a build. */
export function factsOf(events: Iterable<BuildEvent>): BuildFacts {
  let facts = NO_FACTS;
  for (const event of events) {
    facts = addFact(facts, event);
  }
  return facts;
}

/** How wide the summary may be, and whether bars may be block characters. */
export interface SummaryStyle {
  readonly columns: number;
  readonly unicode: boolean;
}

const MAX_STAGES = 6;
const MAX_HOOKS = 3;
const MAX_ARTIFACTS = 4;

/** At most 20 lines of plain text, without newlines; none for a build that never started. */
export function renderSummary(
  facts: BuildFacts,
  style: SummaryStyle = { columns: 80, unicode: true },
): string[] {
  if (facts.start === undefined) {
    return [];
  }
  const sections = [artifactLines(facts), stageLines(facts.stages, style), hookLines(facts.hooks)];
  const body = sections.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines]);
  return [headline(facts, facts.start), ...body].map((line) => displayText(line).trimEnd());
}

function headline(facts: BuildFacts, start: NonNullable<BuildFacts['start']>): string {
  const worked = facts.end !== undefined && facts.end.failure === undefined;
  const took = facts.end === undefined ? '' : ` ${renderDuration(facts.end.durationMs)}`;
  const verb = worked
    ? `Built ${start.imageName} in${took}`
    : `${start.imageName}: failed after${took}`;
  const warnings = facts.warnings === 1 ? ', 1 warning' : `, ${facts.warnings} warnings`;
  return `${verb} (${start.elements.join(' ')})${facts.warnings === 0 ? '' : warnings}`;
}

function artifactLines(facts: BuildFacts): string[] {
  const shown = facts.artifacts.slice(0, MAX_ARTIFACTS);
  const width = Math.max(0, ...shown.map((artifact) => artifact.type.length));
  const rest = facts.artifacts.length - shown.length;
  return [
    ...shown.map(
      ({ type, path, sizeBytes }) =>
        `  ${type.padEnd(width)}  ${renderSize(sizeBytes).padStart(9)}  ${path}`,
    ),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ];
}

function stageLines(stages: readonly StageTiming[], style: SummaryStyle): string[] {
  const totalMs = stages.reduce((sum, stage) => sum + stage.durationMs, 0);
  const shown = largest(stages, MAX_STAGES).filter(
    ({ durationMs }) => durationMs >= totalMs * 0.01 && durationMs >= 50,
  );
  const restMs = totalMs - shown.reduce((sum, stage) => sum + stage.durationMs, 0);
  const hidden = stages.length - shown.length;
  const rows = [
    // In the order of the build, which is the one that people know.
    ...stages.filter((stage) => shown.includes(stage)),
    ...(hidden > 0 ? [{ name: `${hidden} more`, durationMs: restMs }] : []),
  ].map((row) => ({
    ...row,
    name: shorten(row.name, Math.max(8, Math.min(36, style.columns - 18))),
  }));
  const label = Math.max(0, ...rows.map((row) => row.name.length));
  const barCells = Math.max(0, Math.min(30, style.columns - label - 19));
  return rows.map(({ name, durationMs }) => {
    const bar = renderBar(totalMs === 0 ? 0 : durationMs / totalMs, barCells, style.unicode);
    return `  ${name.padEnd(label)}  ${renderDuration(durationMs).padStart(12)}  ${bar}`;
  });
}

function hookLines(hooks: readonly RunHook[]): string[] {
  const slowest = largest(hooks, MAX_HOOKS).filter(({ durationMs }) => durationMs >= 100);
  if (slowest.length === 0) {
    return [];
  }
  const rows = slowest.map((hook) => {
    const by = hook.element === undefined ? '' : ` (${hook.element})`;
    return `  ${renderDuration(hook.durationMs).padStart(12)}  ${hook.phase}.d/${hook.hook}${by}`;
  });
  return ['Slowest hooks', ...rows];
}

function largest<T extends { readonly durationMs: number }>(
  items: readonly T[],
  count: number,
): T[] {
  return [...items].sort((a, b) => b.durationMs - a.durationMs).slice(0, count);
}

function shorten(text: string, cells: number): string {
  return text.length <= cells ? text : `${text.slice(0, cells - 3)}...`;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function renderBar(share: number, cells: number, unicode: boolean): string {
  if (!unicode) {
    return '#'.repeat(Math.round(share * cells));
  }
  const eighths = Math.round(share * cells * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}
