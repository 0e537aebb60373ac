/**
 * The log: events as the lines that people and tools know from upstream.
 *
 * compat: the wordings marked so below are matched by other tools.
 * Source: lib/disk-image-create, lib/dib-run-parts, lib/img-functions.
 */
import { basename } from 'node:path/posix';
import { renderDuration, renderSize } from './duration.ts';
import type { BuildEvent } from './event.ts';
import { type FailureContext, renderFailure } from './failure-text.ts';
import { type HookTiming, RUN_PARTS_PREFIX, renderProfile } from './profile.ts';

/** What the lines of later events depend on. */
export interface LogState {
  /** The running phase's directory name, `install.d`. */
  readonly target?: string;
  readonly timings: readonly HookTiming[];
  /** When the running download began or had its last line. */
  readonly progressAt?: number;
}

/** The state before the first event. */
export const INITIAL_LOG_STATE: LogState = { timings: [] };

/** The state after an event. */
export function nextLogState(state: LogState, event: BuildEvent): LogState {
  switch (event.kind) {
    case 'phase-start':
      return { target: basename(event.dir), timings: [] };
    case 'hook-end':
      return {
        ...state,
        timings: [...state.timings, { hook: event.hook, durationMs: event.durationMs }],
      };
    case 'phase-end':
      return INITIAL_LOG_STATE;
    case 'download-progress':
      return state.progressAt === undefined || isDueProgress(event, state)
        ? { ...state, progressAt: event.at }
        : state;
    case 'download-end': {
      const { progressAt: _over, ...rest } = state;
      return rest;
    }
    default:
      return state;
  }
}

/**
 * The lines of one event, without time or newline, given the state before it. Hook output is never
 * touched; a text of several lines becomes several.
 */
export function logLines(
  event: BuildEvent,
  state: LogState,
  context: FailureContext = {},
): readonly string[] {
  switch (event.kind) {
    case 'build-start':
      // compat, all four
      return [
        `diskimage-builder version ${event.version}`,
        `Building elements: ${event.elements.join(' ')}`,
        `Expanded element dependencies to: ${event.expanded.join(' ')}`,
        `Building in ${event.buildDir}`,
      ];
    case 'message':
      return (event.level === 'warning' ? `Warning: ${event.text}` : event.text).split('\n');
    case 'element-hooks':
      return [`Copying hooks for ${event.element}`]; // compat
    case 'phase-start':
      // compat: only phases on the host announce themselves
      return event.where === 'host' ? [`Running hooks from ${event.dir}`] : [];
    case 'environment-file':
      return [`${RUN_PARTS_PREFIX}Sourcing environment file ${event.path}`]; // compat
    case 'hooks-ignored':
      return [RUN_PARTS_PREFIX + ignored(event.reason, event.names)];
    case 'hook-start':
      return [`${RUN_PARTS_PREFIX}Running ${event.path}`]; // compat
    case 'hook-end':
      return event.status === 0 ? [`${RUN_PARTS_PREFIX}${event.hook} completed`] : []; // compat
    case 'output':
      return [event.line];
    case 'phase-end':
      // compat: a phase that failed has no table
      return event.ok ? renderProfile(state.target ?? `${event.phase}.d`, state.timings) : [];
    case 'layer':
      return layerLines(event);
    case 'step-start':
      return [event.detail];
    case 'step-end':
      return [];
    case 'artifact-renamed':
      return [`Renamed the existing ${event.from} to ${event.to}`];
    case 'artifact':
      return [`Image file ${event.path} created...`]; // compat
    case 'lock-wait':
      return [`Waiting for ${event.path}: ${event.holder}`];
    case 'download-progress':
      return isDueProgress(event, state) ? [progressLine(event)] : [];
    case 'download-end': {
      const took = `${renderSize(event.sizeBytes)} in ${renderDuration(event.durationMs)}`;
      return [`Fetched ${event.url} (${took})`];
    }
    case 'break-start':
      return event.lines;
    case 'break-end':
      return ['Resuming']; // compat
    case 'build-end':
      return event.failure === undefined
        ? ['Build completed successfully'] // compat
        : renderFailure(event.failure, context);
  }
}

function layerLines(event: Extract<BuildEvent, { kind: 'layer' }>): readonly string[] {
  const { outcome, phase, hooks, key = '', reasons } = event;
  switch (outcome) {
    case 'reused': {
      const last = hooks.at(-1) ?? '';
      return [`Reusing ${phase}.d up to ${last} from layer ${key}`];
    }
    case 'run':
      return [`Running ${phase}.d: ${reasons.join('; ')}`];
    case 'kept':
      return [];
  }
}

type Progress = Extract<BuildEvent, { kind: 'download-progress' }>;

/** A log wants to know that a download is alive, not each of its steps. */
const PROGRESS_EVERY_MS = 10_000;

function isDueProgress(event: Progress, state: LogState): boolean {
  return state.progressAt !== undefined && event.at - state.progressAt >= PROGRESS_EVERY_MS;
}

function progressLine({ url, receivedBytes, totalBytes }: Progress): string {
  const of =
    totalBytes === undefined
      ? ''
      : ` of ${renderSize(totalBytes)} (${Math.floor((100 * receivedBytes) / Math.max(1, totalBytes))} %)`;
  return `Fetching ${url}: ${renderSize(receivedBytes)}${of}`;
}

function ignored(reason: 'not-executable' | 'name', names: readonly string[]): string {
  const what = reason === 'name' ? 'non-conforming filenames' : 'non-executable files';
  return `Ignoring ${what}: ${names.join(' ')}`; // compat
}

/** `YYYY-MM-DD HH:MM:SS.mmm | `, in UTC. Source: lib/outfilter.py (compat). */
export function renderTimestamp(atMs: number): string {
  return `${new Date(atMs).toISOString().replace('T', ' ').replace('Z', '')} | `;
}
