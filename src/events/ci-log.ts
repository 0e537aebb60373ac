/**
 * What CI systems understand in a log beside text: groups of lines that fold, and a failure that is
 * shown where people look first. Pure.
 *
 * Sources: GitHub, "Workflow commands" (`::group::`, `::error`; groups do not nest); GitLab, "Custom
 * collapsible sections" (names of letters, digits, `_`, `.` and `-`, each once in a job: builds of one job have a number behind).
 */
import type { BuildEvent } from './event.ts';
import type { Failure } from './failure.ts';

/** `other`: a CI system without groups; nobody sits at it either. */
export type CiSystem = 'github' | 'gitlab' | 'other';

/** The CI system that set such an environment, or none. `CI` is what nearly all of them set. */
export function ciSystem(
  environment: Readonly<Record<string, string | undefined>>,
): CiSystem | undefined {
  if (environment.GITHUB_ACTIONS === 'true') {
    return 'github';
  }
  if (environment.GITLAB_CI === 'true') {
    return 'gitlab';
  }
  return ['', '0', 'false'].includes(environment.CI ?? '') ? undefined : 'other';
}

/** The variable that says so, for whom it is no job of CI. */
export const CI_VARIABLES: Readonly<Record<CiSystem, string>> = {
  github: 'GITHUB_ACTIONS',
  gitlab: 'GITLAB_CI',
  other: 'CI',
};

export interface CiLog {
  readonly system: CiSystem;
  /** The checkout, absolute: annotations name files relative to it. */
  readonly workspace?: string;
}

/** Text around the lines of one event, newlines included, and the group that is open after it. */
export interface CiMarks {
  readonly before: string;
  readonly after: string;
  readonly open: string | undefined;
}

/**
 * A phase, or a step between the phases, is a group. `open` is the group that was open before. What a
 * failure says comes after its group: folded text is not read.
 */
export function ciMarks(log: CiLog, event: BuildEvent, open: string | undefined): CiMarks {
  const { system } = log;
  const close = open === undefined ? '' : closing(system, open, event.at);
  switch (event.kind) {
    case 'phase-start': {
      const hooks = event.hooks.length === 1 ? '1 hook' : `${event.hooks.length} hooks`;
      const name = `phase-${event.phase}-${event.at}`;
      const title = `Phase ${event.phase}: ${hooks}`;
      return { before: close + opening(system, { name, title }, event.at), after: '', open: name };
    }
    case 'step-start': {
      const name = `step-${event.step.replaceAll(/[^\w.-]/g, '-')}-${event.at}`;
      const group = { name, title: event.detail };
      return { before: close + opening(system, group, event.at), after: '', open: name };
    }
    case 'phase-end':
    case 'step-end':
      return { before: '', after: close, open: undefined };
    case 'build-end':
      return { before: close, after: annotation(log, event.failure), open: undefined };
    default:
      return { before: '', after: '', open };
  }
}

function opening(
  system: CiSystem,
  { name, title }: { readonly name: string; readonly title: string },
  atMs: number,
): string {
  switch (system) {
    case 'github':
      return `::group::${escapeData(title)}\n`;
    case 'gitlab':
      return `\u001b[0Ksection_start:${seconds(atMs)}:${name}[collapsed=true]\r\u001b[0K${title}\n`;
    case 'other':
      return '';
  }
}

function closing(system: CiSystem, name: string, atMs: number): string {
  switch (system) {
    case 'github':
      return '::endgroup::\n';
    case 'gitlab':
      return `\u001b[0Ksection_end:${seconds(atMs)}:${name}\r\u001b[0K\n`;
    case 'other':
      return '';
  }
}

function seconds(atMs: number): number {
  return Math.floor(atMs / 1000);
}

/** How much of what a hook said fits under the annotation's title. */
const ANNOTATED_LINES = 5;

function annotation({ system, workspace }: CiLog, failure: Failure | undefined): string {
  if (system !== 'github' || failure === undefined) {
    return '';
  }
  const place = placeOf(failure);
  const file = place?.file.startsWith(`${workspace}/`)
    ? place.file.slice(`${workspace}/`.length)
    : place?.file;
  const properties = [
    ...(file === undefined ? [] : [`file=${escapeProperty(file)}`]),
    ...(place?.line === undefined ? [] : [`line=${place.line}`]),
    `title=${escapeProperty('disk-image-create')}`,
  ];
  const last = 'lastLines' in failure ? failure.lastLines.slice(-ANNOTATED_LINES) : [];
  const text = [failure.message, ...last, ...(failure.hint ?? '').split('\n')];
  return `::error ${properties.join(',')}::${escapeData(text.filter((line) => line !== '').join('\n'))}\n`;
}

function placeOf(failure: Failure): { readonly file: string; readonly line?: number } | undefined {
  switch (failure.kind) {
    case 'hook':
      return { file: failure.path };
    case 'config':
      return failure.at;
    default:
      return undefined;
  }
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
