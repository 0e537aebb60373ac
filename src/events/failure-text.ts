/**
 * A failure as a person reads it: what happened, where, the last words, what to do next.
 *
 * Only a bug of ours shows a stack.
 */
import { displayText } from './display-text.ts';
import type { Failure, HookFailure, InternalFailure, Place } from './failure.ts';
import { redact } from './redact.ts';

/** What the renderer cannot know from the failure itself. */
export interface FailureContext {
  /** Where the whole log is, when there is one. */
  readonly logFile?: string;
  readonly version?: string;
  /** The line of a `config` failure's place, as it is in the file. */
  readonly sourceLine?: string;
  /** The command line to repeat, quoted for a shell; default `disk-image-create ...`. */
  readonly command?: string;
}

/** The lines for a failure, without newlines; the first one says it all. */
export function renderFailure(failure: Failure, context: FailureContext = {}): string[] {
  const title = failure.kind === 'internal' ? 'INTERNAL ERROR' : 'ERROR';
  const [first = '', ...more] = failure.message.split('\n');
  const lines = [
    `${title}: ${first}`,
    ...more.map((line) => `  ${line}`),
    ...whereLines(failure, context),
    ...lastWords(failure),
    ...nextLines(failure, context),
  ];
  return lines.map((line) => redact(displayText(line)));
}

function whereLines(failure: Failure, context: FailureContext): string[] {
  switch (failure.kind) {
    case 'hook':
      return hookPlace(failure);
    case 'tool':
      // Nobody's tool: a person ended it.
      if (failure.argv.length === 0) {
        return [];
      }
      return rows([
        ['command', failure.argv.map(quoteWord).join(' ')],
        ['status', explainStatus(failure.status)],
      ]);
    case 'config':
      return failure.at === undefined ? [] : sourcePlace(failure.at, context.sourceLine);
    case 'disk-full':
    case 'lock-busy':
      return failure.path === '' ? [] : rows([['path', failure.path]]);
    case 'internal':
      return internalPlace(failure, context);
    case 'fetch':
      return rows([['url', failure.url]]);
    case 'usage':
    case 'host':
    case 'verify':
    case 'interrupted':
      return [];
  }
}

function hookPlace(failure: HookFailure): string[] {
  return rows([
    ...(failure.element === undefined ? [] : [['element', failure.element] as const]),
    ['phase', failure.phase],
    ['hook', failure.hook],
    ['file', failure.path],
    ['status', explainStatus(failure.status)],
    ...(failure.cause === undefined
      ? []
      : [['cause', failure.cause.message.split('\n', 1)[0] ?? ''] as const]),
  ]);
}

function rows(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`);
}

function sourcePlace(at: Place, sourceLine: string | undefined): string[] {
  const place = [at.file, at.line, at.column].filter((part) => part !== undefined).join(':');
  const head = `  at ${place}`;
  if (sourceLine === undefined || at.line === undefined) {
    return [head];
  }
  const gutter = `  ${at.line} | `;
  const quoted = `${gutter}${sourceLine}`;
  if (at.column === undefined) {
    return [head, quoted];
  }
  // Tabs are shown as four cells, so the caret must count them so.
  const before = sourceLine.slice(0, at.column - 1).replaceAll('\t', '    ').length;
  return [head, quoted, `${' '.repeat(gutter.length - 2)}| ${' '.repeat(before)}^`];
}

function internalPlace(failure: InternalFailure, context: FailureContext): string[] {
  const stack = (failure.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const version = context.version === undefined ? [] : [`  dibkit ${context.version}`];
  return [...stack.map((line) => `    ${line.trim()}`), ...version];
}

function lastWords(failure: Failure): string[] {
  if (failure.kind !== 'hook' && failure.kind !== 'tool') {
    return [];
  }
  if (failure.lastLines.length === 0) {
    return failure.kind === 'tool' && failure.argv.length === 0 ? [] : ['', 'It printed nothing.'];
  }
  return ['', 'The last lines that it printed:', ...failure.lastLines.map((line) => `    ${line}`)];
}

function nextLines(failure: Failure, context: FailureContext): string[] {
  const hint = (failure.hint ?? '').split('\n').filter((line) => line !== '');
  const advice = [
    ...hint,
    ...breakAdvice(failure, context.command ?? 'disk-image-create ...'),
    ...(context.logFile === undefined || failure.kind === 'usage'
      ? []
      : [`The whole log: ${context.logFile}`]),
    ...(failure.kind === 'internal'
      ? ['This is a bug in dibkit: please report it with the lines above']
      : []),
  ];
  return advice.length === 0 ? [] : ['', 'What to do next:', ...advice.map((line) => `  ${line}`)];
}

function breakAdvice(failure: Failure, command: string): string[] {
  if (failure.kind !== 'hook') {
    return [];
  }
  const point = hookPoint(failure);
  return [
    'Get a shell where it failed:',
    `  break=after-error ${command}`,
    point === undefined
      ? `Get a shell before the phase "${failure.phase}":`
      : 'Get a shell before it runs:',
    `  break=${quoteWord(`before-${point ?? failure.phase}`)} ${command}`,
  ];
}

/**
 * The hook as a break point names it. A file of `environment.d` is no hook, and one that another hook
 * has made is not known when a build starts: undefined.
 */
function hookPoint({ phase, hook, path, element }: HookFailure): string | undefined {
  const point = `${phase}.d/${hook}`;
  return element !== undefined && path.endsWith(`/${point}`) ? point : undefined;
}

// Source: signal(7), the signals that end processes in practice.
const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL, perhaps out of memory',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};

/** A status with what shells mean by it. Source: bash(1), "EXIT STATUS". */
export function explainStatus(status: number): string {
  if (status === 126) {
    return '126 (found, but it cannot be executed)';
  }
  if (status === 127) {
    return '127 (a command, or the interpreter in the first line, was not found)';
  }
  const signal = SIGNALS[status - 128];
  return signal === undefined ? String(status) : `${status} (ended by ${signal})`;
}

/** One word as a POSIX shell reads it back. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The same on one line whatever is in the word, for bash and zsh, and people who copy it. */
export function quoteForPaste(word: string): string {
  return /\p{Cc}/u.test(word)
    ? `$'${word.replaceAll(/[\\']/g, '\\$&').replaceAll(/\p{Cc}/gu, escapeControl)}'`
    : quoteWord(word);
}

function escapeControl(character: string): string {
  const short = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }[character];
  return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
