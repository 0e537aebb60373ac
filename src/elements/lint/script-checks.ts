/** Checks of scripts. Those with upstream's names are upstream's rules (dib-contract, 1.6). */
import { type FileCheck, type Finding, findLines, type LintFile, linesOf } from './finding.ts';

/** Hooks on the host: what they do as root there, they do to the builder's machine. */
const HOST_HOOK = /^(?:root|extra-data|block-device|finalise|cleanup)\.d\/[^/]+$/;

/** Where a command stands: a list of packages may have the word too. */
const SUDO = /(?:^|[;&|({!]|\b(?:then|do|else|exec|if|while))\s*sudo\s/;

/** A line with one of these says where it works, or is known to be meant. */
const SAFE_SUDO =
  /dib-lint: safe_sudo|^\s*#|install-packages|TARGET_ROOT|IMAGE_BLOCK_DEVICE|TMP_MOUNT_PATH|TMP_IMAGE_PATH/;

export const SCRIPT_CHECKS: readonly FileCheck[] = [
  executable,
  indent,
  bashPath,
  bashOptions,
  debugTrace,
  environment,
  exportOfCommand,
  safeSudo,
  which,
  networkOnHost,
];

/** The interpreter's line, without `#!`; undefined for a file that is no script. */
export function interpreterOf({ text }: LintFile): string | undefined {
  return text.startsWith('#!') ? linesOf(text)[0]?.slice(2).trim() : undefined;
}

export function isPython(file: LintFile): boolean {
  return /python/.test(interpreterOf(file) ?? '');
}

function isJavaScript(file: LintFile): boolean {
  return /\b(?:node|zx)\b/.test(interpreterOf(file) ?? '');
}

export function isShell(file: LintFile): boolean {
  return (
    /(?:^|[/ ])(?:ba|da|k)?sh\b/.test(interpreterOf(file) ?? '') ||
    (isEnvironment(file) && !isPython(file))
  );
}

function isEnvironment({ path }: LintFile): boolean {
  return path.includes('environment.d/');
}

function isBash(file: LintFile): boolean {
  return linesOf(file.text)[0] === '#!/bin/bash';
}

function executable(file: LintFile): readonly Finding[] {
  if (interpreterOf(file) === undefined || file.executable || isEnvironment(file)) {
    return [];
  }
  const message = 'It starts with #! and is not executable';
  const fix = { executable: true } as const;
  return [{ check: 'executable', severity: 'error', path: file.path, line: 1, message, fix }];
}

function indent(file: LintFile): readonly Finding[] {
  if (interpreterOf(file) === undefined || isPython(file) || isJavaScript(file)) {
    return [];
  }
  const heredoc = new HereDocuments();
  const message = 'Indented by something else than a multiple of 4 spaces';
  return findLines(file, { check: 'indent', severity: 'error', message }, (line) => {
    const inside = heredoc.next(line);
    const width = /^( +)\S/.exec(line)?.[1]?.length ?? 0;
    return !inside && width % 4 !== 0;
  });
}

/** What lies between `<<WORD` and `WORD` is data, whatever it looks like. */
class HereDocuments {
  #end: string | undefined;

  /** Whether the line is inside of one. */
  next(line: string): boolean {
    if (this.#end !== undefined) {
      if (line.trim() === this.#end) {
        this.#end = undefined;
      }
      return true;
    }
    this.#end = /<<-?\s*\\?['"]?(\w+)/.exec(line.replace(/<<<.*/, ''))?.[1];
    return false;
  }
}

function bashPath(file: LintFile): readonly Finding[] {
  const interpreter = interpreterOf(file);
  if (interpreter === undefined || !/\bbash\b/.test(interpreter) || isBash(file)) {
    return [];
  }
  const message = 'The first line of a bash script must be #!/bin/bash';
  const rest = file.text.slice(file.text.indexOf('\n') + 1);
  // Options in that line would be lost.
  const isPlain = /bash$/.test(interpreter);
  const fix = isPlain ? { fix: { text: `#!/bin/bash\n${rest}` } } : {};
  return [{ check: 'bashpath', severity: 'error', path: file.path, line: 1, message, ...fix }];
}

const BASH_OPTIONS = [
  { check: 'sete', line: /^set -[a-z]*e/m, message: 'No line has set -e' },
  { check: 'setu', line: /^set -[a-z]*u/m, message: 'No line has set -u' },
  {
    check: 'setpipefail',
    line: /^set -[a-z ]*o pipefail/m,
    message: 'No line has set -o pipefail',
  },
] as const;

function bashOptions(file: LintFile): readonly Finding[] {
  if (!isBash(file)) {
    return [];
  }
  return BASH_OPTIONS.filter(({ line }) => !line.test(file.text)).map(({ check, message }) => ({
    check,
    severity: 'error',
    path: file.path,
    message,
  }));
}

function debugTrace(file: LintFile): readonly Finding[] {
  if (!isBash(file) || file.text.includes('DIB_DEBUG_TRACE')) {
    return [];
  }
  const message = 'It does not honour DIB_DEBUG_TRACE: if it is above 0, set -x';
  return [{ check: 'dibdebugtrace', severity: 'error', path: file.path, message }];
}

/** Everything in environment.d is sourced by one shell, which goes on with what was set there. */
function environment(file: LintFile): readonly Finding[] {
  if (!isEnvironment(file)) {
    return [];
  }
  const here = { check: 'environment', severity: 'error' } as const;
  const found = file.executable
    ? [{ ...here, path: file.path, message: 'A file of environment.d must not be executable' }]
    : [];
  const message = 'An option of the shell that is set here holds for every hook';
  return [
    ...found,
    ...findLines(file, { ...here, message }, (line) => /^\s*set [-+][a-z]/.test(line)),
    ...findLines(file, { ...here, message }, (line) => /^\s*shopt -[su]/.test(line)),
  ];
}

function exportOfCommand(file: LintFile): readonly Finding[] {
  const message = 'export X=$(...) hides that the command failed: X=$(...), then export X';
  return findLines(file, { check: 'export', severity: 'error', message }, (line) =>
    /^\s*export +\w+=("?)(?:\$\((?!\()|`)/.test(line),
  );
}

function safeSudo(file: LintFile): readonly Finding[] {
  if (!HOST_HOOK.test(file.path)) {
    return [];
  }
  const message =
    'sudo on the host must name what it works on (TARGET_ROOT, ...), or say "dib-lint: safe_sudo"';
  return findLines(
    file,
    { check: 'safe_sudo', severity: 'error', message },
    (line) => SUDO.test(line) && !SAFE_SUDO.test(line),
  );
}

function which(file: LintFile): readonly Finding[] {
  if (!isShell(file)) {
    return [];
  }
  const message = 'Use "command -v", which every shell has';
  return findLines(
    file,
    { check: 'which', severity: 'error', message },
    (line) => /\bwhich /.test(line) && !/^\s*#|dib-lint: which|echo/.test(line),
  );
}

/** The cache is there so that a build can be repeated without the network, and is checked. */
function networkOnHost(file: LintFile): readonly Finding[] {
  if (!/^(?:root|extra-data)\.d\//.test(file.path) || interpreterOf(file) === undefined) {
    return [];
  }
  const message =
    'Fetched past the cache: use dib-fetch, cache-url or a source-repository file, which builds share';
  return findLines(
    file,
    { check: 'network', severity: 'warning', message },
    (line) => /(?:^|[\s;&|(])(?:curl|wget|git clone)\s/.test(line) && !/^\s*#/.test(line),
  );
}
