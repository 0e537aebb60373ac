/** What other programs say of an element's scripts: shellcheck and flake8, where they are installed. */
import path from 'node:path';
import type { LintElement } from '../elements/lint/element-checks.ts';
import type { Finding, LintFile } from '../elements/lint/finding.ts';
import { isPython, isShell } from '../elements/lint/script-checks.ts';
import { findTool } from '../sandbox/host-tools.ts';
import { eachLine, start } from '../sandbox/process.ts';

export interface LintTools {
  /** Those that are not installed. */
  readonly missing: readonly string[];
  check(directory: string, element: LintElement): Promise<readonly Finding[]>;
}

interface Surroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

interface Target extends Surroundings {
  readonly directory: string;
  readonly files: readonly LintFile[];
}

/** Looks for the programs. */
export async function openLintTools(surroundings: Surroundings): Promise<LintTools> {
  const searchPath = surroundings.environment.PATH ?? '';
  const [shellcheck, flake8] = ['shellcheck', 'flake8'].map((name) => findTool(name, searchPath));
  return {
    missing: [
      ...(shellcheck === undefined ? ['shellcheck'] : []),
      ...(flake8 === undefined ? ['flake8'] : []),
    ],
    check: async (directory, element) => {
      const shell = element.files.filter((file) => file.text !== '' && isShell(file));
      const python = element.files.filter((file) => isPython(file) && !file.path.endsWith('.py'));
      return [
        ...(shellcheck === undefined
          ? []
          : await runShellcheck({ ...surroundings, directory, files: shell })),
        ...(flake8 === undefined
          ? []
          : await runFlake8({ ...surroundings, directory, files: python })),
      ];
    },
  };
}

interface Comment {
  readonly file: string;
  readonly line: number;
  readonly level: string;
  readonly code: number;
  readonly message: string;
}

async function runShellcheck(on: Target): Promise<readonly Finding[]> {
  // Files of environment.d have no first line that names their shell: it is bash.
  const which = ['--severity=warning', '--shell=bash'];
  // What a hook sources from beside itself is part of it.
  const paths = ['SCRIPTDIR', process.cwd()].map((each) => `--source-path=${each}`);
  const follow = ['--external-sources', ...paths];
  const printed = await runOn(['shellcheck', '--format=json1', ...which, ...follow], on);
  const { comments } = JSON.parse(printed || '{"comments":[]}') as { comments: Comment[] };
  return comments.map(({ file, line, level, code, message }) => ({
    check: 'shellcheck',
    severity: level === 'error' ? 'error' : 'warning',
    path: file,
    line,
    message: `${message} (SC${code})`,
  }));
}

async function runFlake8(on: Target): Promise<readonly Finding[]> {
  const printed = await runOn(['flake8'], on);
  return printed.split('\n').flatMap((line): readonly Finding[] => {
    const match = /^(?:\.\/)?(.+?):(\d+):\d+: (.+)$/.exec(line);
    return match === null
      ? []
      : [
          {
            check: 'flake8',
            severity: 'error',
            path: match[1] ?? '',
            line: Number(match[2]),
            message: match[3] ?? '',
          },
        ];
  });
}

/** What the program prints about the files; its status only repeats whether it printed something. */
async function runOn(
  argv: readonly [string, ...string[]],
  { directory, files, environment, signal }: Target,
): Promise<string> {
  if (files.length === 0) {
    return '';
  }
  const names = files.map(({ path: name }) => (name.startsWith('-') ? `./${name}` : name));
  const running = start(
    {
      argv: [...argv, ...names],
      env: environment,
      cwd: path.resolve(directory),
      output: 'separate',
    },
    signal,
  );
  const lines: string[] = [];
  await Promise.all([
    running.exit,
    eachLine(running.stdout, (line) => lines.push(line)),
    eachLine(running.stderr, () => {}),
  ]);
  signal.throwIfAborted();
  return lines.join('\n');
}
