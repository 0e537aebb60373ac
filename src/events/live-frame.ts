/** What the live view shows, as pure functions of the events so far and the time. */
import { displayText, fitWidth, type WidthOf } from './display-text.ts';
import { renderDuration, renderElapsed } from './duration.ts';
import type { BuildEvent } from './event.ts';

interface Doing {
  readonly what: string;
  readonly startedAt: number;
}

/** What is under way. */
export interface LiveState {
  readonly startedAt?: number;
  readonly phase?: { readonly name: string; readonly startedAt: number; readonly hooks: number };
  /** Hooks of the phase that have started. */
  readonly hooksStarted: number;
  readonly hook?: Doing;
  /** Steps that have not ended, outermost first, by their short name. */
  readonly steps: readonly (Doing & { readonly step: string })[];
  /** The last lines that were printed, as they came. */
  readonly tail: readonly string[];
}

/** The state before the first event. */
export const INITIAL_LIVE_STATE: LiveState = { hooksStarted: 0, steps: [], tail: [] };

const TAIL_LINES = 5;

/** The state after an event. */
export function nextLiveState(state: LiveState, event: BuildEvent): LiveState {
  const { phase: _phase, hook: _hook, ...rest } = state;
  switch (event.kind) {
    case 'build-start':
      return { ...state, startedAt: event.at };
    case 'phase-start': {
      const phase = { name: event.phase, startedAt: event.at, hooks: event.hooks.length };
      return { ...rest, phase, hooksStarted: 0, tail: [] };
    }
    case 'hook-start': {
      const by = event.element === undefined ? '' : ` (${event.element})`;
      const hook = { what: `${event.hook}${by}`, startedAt: event.at };
      return { ...state, hook, hooksStarted: state.hooksStarted + 1, tail: [] };
    }
    case 'hook-end': {
      const { hook: _ended, ...others } = state;
      return others;
    }
    case 'output':
      return { ...state, tail: [...state.tail, event.line].slice(-TAIL_LINES) };
    case 'phase-end':
      return { ...rest, hooksStarted: 0, tail: [] };
    case 'step-start': {
      const step = { step: event.step, what: event.detail, startedAt: event.at };
      return { ...state, steps: [...state.steps, step], tail: [] };
    }
    case 'step-end':
      return { ...state, steps: state.steps.filter((step) => step.step !== event.step), tail: [] };
    case 'build-end':
      return INITIAL_LIVE_STATE;
    default:
      return state;
  }
}

/** How to draw. */
export interface LiveStyle {
  /** Cells of the terminal's width. */
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
  readonly widthOf: WidthOf;
  /** All phases in order, for "4/10". */
  readonly phases: readonly string[];
}

/** The block that is redrawn: at most 3 lines of headings and the last lines of output. */
export function renderFrame(state: LiveState, nowMs: number, style: LiveStyle): string[] {
  const lines = [...phaseLine(state, nowMs, style), ...doingLines(state, nowMs, style)];
  if (lines.length === 0) {
    return [];
  }
  const tail = state.tail
    .map(displayText)
    .filter((line) => line.trim() !== '')
    .map((line) => paint('dim', `    ${fit(line, style, 4)}`, style));
  return [...lines, ...tail];
}

function phaseLine(state: LiveState, nowMs: number, style: LiveStyle): string[] {
  const phase = state.phase;
  if (phase === undefined) {
    return [];
  }
  const number = style.phases.indexOf(phase.name) + 1;
  const dot = style.unicode ? ' · ' : ' - ';
  const parts = [
    `${number > 0 ? `${number}/${style.phases.length} ` : ''}${displayText(phase.name)}`,
    ...(phase.hooks > 0 ? [`hook ${state.hooksStarted} of ${phase.hooks}`] : []),
    renderElapsed(nowMs - phase.startedAt),
    ...(state.startedAt === undefined ? [] : [`${renderElapsed(nowMs - state.startedAt)} in all`]),
  ];
  return [paint('bold', fit(parts.join(dot), style), style)];
}

function doingLines(state: LiveState, nowMs: number, style: LiveStyle): string[] {
  const doing = [state.hook, state.steps.at(-1)].filter((item) => item !== undefined);
  return doing.map((item) => {
    const elapsed = renderElapsed(nowMs - item.startedAt);
    const room = elapsed.length + 6;
    const mark = style.unicode ? '▸' : '>';
    return `  ${mark} ${fit(displayText(item.what), style, room)}  ${elapsed}`;
  });
}

/** The lines that an event leaves behind above the block, given the state before it. */
export function lastingLines(event: BuildEvent, state: LiveState, style: LiveStyle): string[] {
  switch (event.kind) {
    case 'build-start': {
      const elements = event.expanded.join(' ');
      return [displayText(`Building ${event.imageName} from ${elements} in ${event.buildDir}`)];
    }
    case 'message':
      return event.text.split('\n').map((line, index) => {
        const text = displayText(line);
        return event.level === 'info' ? text : paint('yellow', warning(text, index), style);
      });
    case 'lock-wait':
      return [displayText(`Waiting for ${event.path}: ${event.holder}`)];
    case 'hooks-ignored':
      return [paint('yellow', displayText(ignoredWarning(event.reason, event.names)), style)];
    case 'phase-end':
      return [finished(`phase ${event.phase}`, event, style)];
    case 'step-end': {
      const step = state.steps.find((other) => other.step === event.step);
      // A hook has the stage then; and what takes no time is no news.
      const silent = step === undefined || state.phase !== undefined || event.durationMs < 1000;
      return silent ? [] : [finished(step.what, { ...event, ok: true }, style)];
    }
    case 'artifact-renamed':
      return [displayText(`Renamed the existing ${event.from} to ${event.to}`)];
    default:
      return [];
  }
}

function warning(text: string, index: number): string {
  return index === 0 ? `Warning: ${text}` : text;
}

function ignoredWarning(reason: 'not-executable' | 'name', names: readonly string[]): string {
  const why =
    reason === 'name' ? 'its name has other characters than hooks have' : 'not executable';
  return `Warning: ignored ${names.join(', ')}: ${why}`;
}

function finished(
  what: string,
  end: { readonly durationMs: number; readonly ok: boolean },
  style: LiveStyle,
): string {
  const [good, bad] = style.unicode ? ['✓', '✗'] : ['ok', '!!'];
  const mark = end.ok ? paint('green', good, style) : paint('red', bad, style);
  const room = `${good}    `.length + DURATION_CELLS;
  const label = fit(displayText(what), style, room).padEnd(LABEL_CELLS);
  return `${mark} ${label}  ${renderDuration(end.durationMs).padStart(DURATION_CELLS)}`;
}

const LABEL_CELLS = 28;
const DURATION_CELLS = 12;

function fit(text: string, style: LiveStyle, used = 0): string {
  // The last column stays free: some terminals wrap as soon as it is filled.
  const cells = Math.max(0, style.columns - 1 - used);
  return fitWidth(text, cells, { widthOf: style.widthOf, mark: style.unicode ? '…' : '~' });
}

// Source: ECMA-48, "SGR": what to switch on and what switches it off again.
const SGR = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const;

function paint(look: keyof typeof SGR, text: string, style: LiveStyle): string {
  const [on, off] = SGR[look];
  return style.color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}
