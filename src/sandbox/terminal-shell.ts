/**
 * A shell for a person, on a terminal of its own inside ours.
 *
 * script(1) relays between the two. A shell in another PID namespace cannot give our terminal back to
 * our process group, which does not exist there: after it, Ctrl-C would reach nobody (measured).
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { quoteWord } from '../events/failure-text.ts';
import { start, statusOf } from './process.ts';

export interface TerminalProgram {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A directory for what it writes to its descriptor 3; without one it has none. */
  readonly scratch?: string;
}

export interface TerminalOutcome {
  readonly status: number;
  /** What it wrote to its descriptor 3. */
  readonly said: string;
}

/** Variables that script's own shell would act on, given to the program alone. */
const NOT_FOR_THE_RELAY = ['BASH_ENV', 'ENV', 'PS1', 'SHELL'] as const;

/**
 * The command line and the environment that run a program on a terminal of its own. Pure. Source:
 * script(1), which runs its command with `$SHELL -c`; bash, because dash drops exported functions.
 */
export function relayed(program: TerminalProgram): {
  readonly argv: [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
} {
  const kept = Object.entries(program.env).filter(
    ([name]) => !NOT_FOR_THE_RELAY.some((each) => each === name),
  );
  const given = NOT_FOR_THE_RELAY.flatMap((name) => {
    const value = program.env[name];
    return value === undefined ? [] : [`${name}=${quoteWord(value)}`];
  });
  const command = ['unset SHELL;', ...given, 'exec', ...program.argv.map(quoteWord)].join(' ');
  return {
    argv: ['script', '--quiet', '--flush', '--return', '--command', command, '/dev/null'],
    env: { ...Object.fromEntries(kept), SHELL: '/bin/bash' },
  };
}

/**
 * Runs a program on a terminal of its own until it ends; our three streams must be a terminal.
 *
 * Descriptor 3 is a file, not a pipe: what the person left running there has it too, and must not
 * keep us waiting.
 */
export async function runOnTerminal(
  program: TerminalProgram,
  signal: AbortSignal,
): Promise<TerminalOutcome> {
  const { scratch, cwd } = program;
  const file = scratch === undefined ? undefined : await openNameless(scratch);
  try {
    const running = start(
      {
        ...relayed(program),
        ...(cwd === undefined ? {} : { cwd }),
        output: 'terminal',
        extra: file === undefined ? [] : [{ fd: file.fd }],
      },
      signal,
    );
    const status = statusOf(await running.exit);
    // By position: the shell has moved the one that we share.
    const { buffer, bytesRead } = (await file?.read(Buffer.alloc(4096), 0, 4096, 0)) ?? {};
    return { status, said: buffer?.toString('utf8', 0, bytesRead) ?? '' };
  } finally {
    await file?.close();
  }
}

/** A file that nobody else can open. */
async function openNameless(directory: string): Promise<FileHandle> {
  const name = path.join(directory, `.said-${randomBytes(8).toString('hex')}`);
  const file = await open(name, 'wx+', 0o600);
  await rm(name);
  return file;
}

/** A shell, and how it is told the file that it starts with. */
export interface Shell {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The best shell behind `launcher`: bash, else sh, else undefined. Asked by running it, since a link
 * in a target means something else here.
 */
export async function findShell(
  launcher: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<'bash' | 'sh' | undefined> {
  for (const shell of ['bash', 'sh'] as const) {
    const [file = shell, ...args] = [...launcher, shell, '-c', ':'];
    const { exit } = start({ argv: [file, ...args], env, output: 'nothing' }, signal);
    if (statusOf(await exit) === 0) {
      return shell;
    }
  }
  return undefined;
}

/** An interactive shell that starts with `file`; without one, with nothing. Source: bash(1), sh(1). */
export function interactive(shell: 'bash' | 'sh', file?: string): Shell {
  if (shell === 'bash') {
    return {
      argv: ['bash', ...(file === undefined ? ['--norc'] : ['--rcfile', file]), '-i'],
      env: {},
    };
  }
  return { argv: ['sh', '-i'], env: file === undefined ? {} : { ENV: file } };
}
