/** `dibkit enter`: a shell, or a command, inside a build that runs or is stopped. */
import path from 'node:path';
import { Command } from 'commander';
import { hostError, usageError } from '../events/failure.ts';
import { chooseBuild, describeBuild, type KnownBuild } from '../phases/choose-build.ts';
import { markEntered, type RunRecord } from '../phases/run-record.ts';
import {
  findBuilds,
  hookEnvironment,
  isElsewhere,
  type RunningBuild,
  reachable,
  recordOf,
} from '../phases/running-builds.ts';
import { start, statusOf } from '../sandbox/process.ts';
import { findShell, interactive, runOnTerminal } from '../sandbox/terminal-shell.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
BUILD is the build's directory or its name, or the image's name; it can be left out when one build runs,
or one of several is stopped at a break point.
The shell is where the build's hooks run now: in the target in the phases that run there, with the
environment of the hook that runs or waits. In a shell at a break point the build stays stopped
until that shell goes on. This one holds nothing up, and ends with the build.

What somebody has been in is not kept for later builds.

Examples:
  dibkit enter
      a shell in the only build, or in the only one that is stopped
  dibkit enter dib_build.Xk3hT9aQ -- ls -l /etc
      one command, with its status
  dibkit enter --host web
      outside the target, where the host's tools are
  dibkit enter --list
      the builds that run, one a line
`;

interface Options {
  readonly list?: true;
  readonly host?: true;
}

export async function enter(argv: readonly string[]): Promise<number> {
  const end = argv.indexOf('--');
  const [words, program] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)];
  const command = new Command('dibkit enter')
    .description('Enters a build that runs, or is stopped at a break point.')
    .usage('[OPTION]... [BUILD] [-- COMMAND...]')
    .argument('[BUILD]')
    .option('--list', 'print the builds that run')
    .option('--host', 'stay on the host side, also while hooks run in the target')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  if (parseArguments(command, words) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  const builds = await describeAll(await findBuilds());
  if (options.list) {
    process.stdout.write(builds.map((build) => `${describeBuild(build)}\n`).join(''));
    return 0;
  }
  const chosen = chooseBuild(builds, command.args[0]);
  return enterBuild(chosen, { host: options.host === true, program });
}

function describeAll(builds: readonly RunningBuild[]): Promise<readonly KnownBuild[]> {
  const uid = process.geteuid?.();
  return Promise.all(
    builds.map(async (build) => {
      // Whoever runs a build decides what is in there: nobody else, root included, should run that.
      const ours = build.uid === uid;
      const record = ours ? await recordOf(build).catch(() => undefined) : undefined;
      return { ...build, ours, record };
    }),
  );
}

async function enterBuild(
  build: KnownBuild,
  how: { readonly host: boolean; readonly program: readonly string[] },
): Promise<number> {
  const { record } = build;
  const terminal = process.stdin.isTTY && process.stdout.isTTY;
  if (record === undefined) {
    throw usageError(`Cannot enter ${build.buildDir}: it has not begun a phase yet`, 'Try again');
  }
  if (how.program.length === 0 && !terminal) {
    throw usageError(
      'Cannot open a shell: there is no terminal',
      'Run this in a terminal, or give a command: dibkit enter BUILD -- COMMAND',
    );
  }
  const env = await hookEnvironment(build, record);
  const inside = await joinArgv(build);
  const target = [...inside, 'chroot', record.targetRoot];
  const host = [...inside, 'env', `--chdir=${record.cwd}`];
  const launcher = record.where === 'target' && !how.host ? target : host;
  await markEntered(reachable(build));
  const signal = new AbortController().signal;
  if (how.program.length > 0) {
    const [file = '', ...args] = [...launcher, ...how.program];
    return statusOf(await start({ argv: [file, ...args], env, output: 'terminal' }, signal).exit);
  }
  const shell = await findShell(launcher, env, signal);
  if (shell === undefined) {
    throw hostError(
      `Cannot open a shell in ${record.targetRoot}: the target has none`,
      'Stay on the host side: dibkit enter --host',
    );
  }
  process.stdout.write(`${sceneOf(build, record).join('\n')}\n`);
  const { argv } = interactive(shell);
  const { status } = await runOnTerminal(
    { argv: [...launcher, ...argv], env: { ...env, ...shellVariables(build, record) } },
    signal,
  );
  if (status === KILLED) {
    // Her own prompt comes next to the last one in there.
    process.stdout.write('\nThe build has ended this shell: you are outside again\n');
  }
  return 0;
}

/** Of a shell that a build ends when its hooks are done, or the kernel with the build. */
const KILLED = 128 + 9;

/** Into the build's namespaces. Source: nsenter(1). */
async function joinArgv({ pid }: RunningBuild): Promise<readonly string[]> {
  // Root of a user namespace that is ours is ourselves; joining our own is refused by the kernel.
  const user = (await isElsewhere(pid, 'user')) ? ['--user', '--preserve-credentials'] : [];
  return ['nsenter', '--target', String(pid), ...user, '--mount', '--pid'];
}

function sceneOf(build: KnownBuild, record: RunRecord): readonly string[] {
  return [
    describeBuild(build),
    `  hooks   ${record.hooksDir}/${record.phase}.d`,
    `  target  ${record.targetRoot}`,
    ...(record.stopped === undefined
      ? ['  The build goes on while you are here']
      : ['  The build waits for the shell at its break point, which has retry, skip and abort']),
    '  Nothing from here on is kept for later builds',
  ];
}

/** What a shell without a file to start with gets from its environment. */
function shellVariables(build: KnownBuild, record: RunRecord): Readonly<Record<string, string>> {
  const lines = sceneOf(build, record).map((line) => `'${line.replaceAll("'", "'\\''")}'`);
  return {
    PS1: `[${path.basename(build.buildDir)} ${record.phase}] \\w\\$ `,
    HISTFILE: '',
    'BASH_FUNC_where%%': `() { printf '%s\\n' ${lines.join(' ')}\n}`,
  };
}
