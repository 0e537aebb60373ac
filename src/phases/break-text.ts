/** What a debug shell says and knows: its banner, and the file that it starts with. Pure. */
import { renderDuration } from '../events/duration.ts';
import { quoteWord } from '../events/failure-text.ts';
import type { Stop, StopWhen } from '../run-parts/stops.ts';
import { PHASES, type Phase } from './table.ts';

export type Command = 'retry' | 'skip' | 'abort';

/** Where a build is stopped. */
export interface BreakScene {
  /** `before-install`, `after-install.d/50-foo`, `after-error`. */
  readonly point: string;
  readonly phase: Phase;
  /** Undefined before and after a whole phase. */
  readonly stop?: Stop;
  /** Hooks of the phase that are still to run, at a stop around the whole phase. */
  readonly coming?: readonly string[];
  /** The hook's file in its element. */
  readonly source?: string;
  readonly buildDir: string;
  /** As hooks see them. */
  readonly hooksDir: string;
  readonly targetRoot: string;
  /** The shell is where the hooks are not. */
  readonly outside: boolean;
}

const SHOWN_HOOKS = 8;
const SHOWN_LINES = 10;

/** What makes sense here. `exit` and `abort` always do. */
export function commandsAt({ stop }: BreakScene): readonly Command[] {
  if (stop === undefined) {
    return ['abort'];
  }
  if (stop.when === 'error') {
    return stop.directory === 'environment.d' ? ['retry', 'abort'] : ['retry', 'skip', 'abort'];
  }
  return stop.when === 'before' ? ['skip', 'abort'] : ['retry', 'abort'];
}

/** Arrow up shows the hook's command line, arrow up again the same with a trace. */
export function historyAt({ stop }: BreakScene): readonly string[] {
  if (stop === undefined) {
    return [];
  }
  const hook = quoteWord(stop.path);
  return [`bash -x ${hook}`, hook];
}

/** The banner, which `where` prints again. The first two lines are compat. */
export function bannerOf(scene: BreakScene): readonly string[] {
  return [
    'Starting debug shell. Exit to resume building.',
    `At stage ${scene.point}`,
    ...failureLines(scene),
    ...[...sceneRows(scene), ...commandRows(scene)].map(
      ([label, value]) => `  ${label.padEnd(6)}  ${value}`,
    ),
  ];
}

function failureLines({ stop }: BreakScene): readonly string[] {
  const failure = stop?.failure;
  return failure === undefined
    ? []
    : [
        failure.lastLines.length === 0
          ? `${failure.message}, and printed nothing`
          : `${failure.message}:`,
        ...failure.lastLines.slice(-SHOWN_LINES).map((line) => `    ${line}`),
      ];
}

function sceneRows(scene: BreakScene): readonly (readonly [string, string])[] {
  const { phase, stop } = scene;
  const index = PHASES.indexOf(phase);
  const place = phase.where === 'target' ? 'inside the target' : 'on the host';
  const here = scene.outside ? '; this shell is on the host' : '';
  const next = PHASES[index + 1];
  const coming = [
    ...list(stop?.coming ?? scene.coming ?? []),
    ...(next === undefined ? ['the images'] : [`phase ${next.name}`]),
  ];
  return [
    ['phase', `${phase.name}, ${index + 1} of ${PHASES.length}, ${place}${here}`],
    ...(stop === undefined ? [] : hookRows(stop, scene.source)),
    ['next', coming.join(', ')],
    ['hooks', `${scene.hooksDir}/${phase.name}.d`],
    ...(phase.where === 'host' || scene.outside ? [['target', scene.targetRoot] as const] : []),
    ['enter', `dibkit enter ${quoteWord(scene.buildDir)}, from another terminal`],
  ];
}

function hookRows(stop: Stop, source: string | undefined): readonly (readonly [string, string])[] {
  const owner = stop.element === undefined ? '' : ` of element '${stop.element}'`;
  const ran = [
    ...stop.passed.map((hook) => `${hook} (in a layer)`),
    ...stop.ran.map(({ hook, durationMs }) => `${hook} (${renderDuration(durationMs)})`),
  ];
  return [
    ['hook', `${stop.name}${owner}`],
    ...(source === undefined ? [] : [['file', source] as const]),
    ['ran', ran.length === 0 ? 'none of this phase yet' : list(ran.toReversed()).join(', ')],
  ];
}

function list(names: readonly string[]): readonly string[] {
  const more = names.length - SHOWN_HOOKS;
  return more > 0 ? [...names.slice(0, SHOWN_HOOKS), `${more} more`] : names;
}

const EXPLAINED: Readonly<Record<Command, string>> = {
  retry: 'run it again, as its element has it now',
  skip: 'go on without the hook',
  abort: 'end the build',
};

const EXIT: Readonly<Record<StopWhen, string>> = {
  before: 'run the hook, as its element has it now',
  after: 'go on',
  error: 'fail, as without this shell',
};

function commandRows(scene: BreakScene): readonly (readonly [string, string])[] {
  const history = scene.stop === undefined ? '' : "; arrow up has the hook's command line";
  return [
    ...commandsAt(scene).map((word) => [word, EXPLAINED[word]] as const),
    ['exit', EXIT[scene.stop?.when ?? 'after']],
    ['where', `print this again${history}`],
  ];
}

/** What the shell has beside the environment. */
export interface ShellFile {
  readonly point: string;
  readonly banner: readonly string[];
  readonly commands: readonly Command[];
  /** The last one is the first that arrow up shows. */
  readonly history: readonly string[];
  readonly umask: string;
  /** As the shell sees it. */
  readonly cwd: string;
  /** Read the person's own settings first. */
  readonly ownSettings: boolean;
}

const OWN_SETTINGS = `[ -z "\${BASH_VERSION-}" ] || [ ! -r ~/.bashrc ] || . ~/.bashrc\n`;

/** The descriptor on which the shell says how to go on. */
export const DECISION_DESCRIPTOR = 3;

/**
 * The file that the shell starts with, for bash and for a POSIX sh (which has no history, and where
 * `exit` can be an alias and no function). A plain `exit` goes on even if the last command failed;
 * `exit 1` ends the build, as it does upstream. In a subshell it is nobody's decision.
 *
 * A shell with stopped jobs stays the first time and says so; the second time it goes, for which bash
 * wants to hear two in a row.
 */
export function shellFile(file: ShellFile): string {
  const { banner, commands, history } = file;
  const here = banner.map((line) => quoteArgument(line)).join(' ');
  const remember = history.map((line) => `history -s -- ${quoteArgument(line)}`).join('\n    ');
  return `${file.ownSettings ? OWN_SETTINGS : ''}unset PROMPT_COMMAND
HISTFILE=
umask ${file.umask}
cd ${quoteArgument(file.cwd)} 2>/dev/null || :
where() { printf '%s\\n' ${here}; }
_dibkit_say() {
    { printf '%s\\n' "$1" >&${DECISION_DESCRIPTOR}; } 2>/dev/null || {
        echo 'The build is not held by this shell' >&2
        return 1
    }
}
_dibkit_leave() {
    _dibkit_say "$1" || return
    if [ -n "\${_dibkit_warned-}" ]; then command exit 0; command exit 0; fi
    command exit 0
    _dibkit_warned=yes
    _dibkit_say stay
}
${(['retry', 'skip', 'abort'] as const)
  .map((word) =>
    commands.includes(word)
      ? `${word}() { _dibkit_leave ${word}; }`
      : `${word}() { echo ${quoteArgument(`Nothing to ${word} at ${file.point}: see where`)} >&2; return 1; }`,
  )
  .join('\n')}
_dibkit_exit() {
    _dibkit_last=$?
    if { read -r _dibkit_pid _ </proc/self/stat; } 2>/dev/null && [ "$_dibkit_pid" != $$ ]; then
        command exit "\${1:-$_dibkit_last}"
    fi
    case \${1:-0} in 0) _dibkit_leave go-on ;; *) _dibkit_leave abort ;; esac || command exit 0
}
alias exit=_dibkit_exit 2>/dev/null || :
PS1=${quoteArgument(`[${file.point}] `)}
if [ -n "\${BASH_VERSION-}" ]; then
    PS1=${quoteArgument(`[${file.point}] \\w\\$ `)}
    ${remember}
else
    PS1="\${PS1}# "
fi
`;
}

function quoteArgument(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What the shell said last; nothing said is `go-on`. Pure. */
export function parseDecision(said: string): Command | 'go-on' {
  const last = said.trim().split('\n').at(-1);
  return last === 'retry' || last === 'skip' || last === 'abort' ? last : 'go-on';
}
