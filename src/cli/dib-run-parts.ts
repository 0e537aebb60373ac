/**
 * The command `dib-run-parts`: the hooks of one directory, on the caller's own streams.
 *
 * compat: what fails gives the command its status, so the exit codes of the other commands do not
 * hold here; a wrong command line is 1. Source: lib/dib-run-parts.
 */
import { statSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import type { Context, EventBody } from '../events/event.ts';
import { INITIAL_LOG_STATE, logLines, nextLogState } from '../events/lines.ts';
import { RUN_PARTS_PREFIX } from '../events/profile.ts';
import { listEntries } from '../run-parts/list.ts';
import { runParts } from '../run-parts/run.ts';
import { selectHooks } from '../run-parts/select.ts';
import { runCommand } from './main.ts';

const USAGE = `Usage: dib-run-parts [--list] DIRECTORY

Runs the hooks of a directory, in the order of their numbers.

First the files of DIRECTORY/../environment.d are sourced. Hooks are the executable files of DIRECTORY whose
names have nothing but letters, digits, '-' and '_'. The first that fails ends it. What happens is told on
standard error, with a table of how long each hook took.

Options:
  --list      print the paths that would be run, and run nothing
  -h, --help  print this help

Examples:
  dib-run-parts --list my-element/install.d
      what would run, in that order
  RUN_PARTS_REGEX='^[0-9]' dib-run-parts hooks/root.d

Environment:
  RUN_PARTS_REGEX   which names are hooks (default: ^[0-9A-Za-z_-]+$)
  DIB_DEBUG_TRACE   above 0: say which files are passed over

Status: 0 all ran, 1 usage, else that of the hook that failed
`;

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

void runCommand(async () => {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '--help' || first === '-h') {
    process.stdout.write(USAGE);
    return 0;
  }
  if (first === undefined) {
    tell(USAGE);
    return 1;
  }
  const dir = first === '--list' ? (rest[0] ?? '') : first;
  if (!isDirectory(dir)) {
    tell(`${RUN_PARTS_PREFIX}Scripts directory [${dir}] must exist and be a directory\n${USAGE}`);
    return 1;
  }
  return first === '--list' ? await list(dir) : await run(dir);
});

async function list(dir: string): Promise<number> {
  const { run: hooks } = selectHooks(listEntries(dir), process.env.RUN_PARTS_REGEX);
  process.stdout.write(hooks.map((hook) => `${dir}/${hook}\n`).join(''));
  return 0;
}

async function run(dir: string): Promise<number> {
  const stop = new AbortController();
  let signalled = 0;
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.once(name, () => {
      signalled = number;
      stop.abort();
    });
  }
  const env = ownEnvironment();
  const context: Context = { emit: printer(), signal: stop.signal, toolEnvironment: env };
  const outcome = await runParts(
    {
      phase: basename(dir).replace(/\.d$/, ''),
      dir,
      listDir: dir,
      where: 'host',
      launcher: [],
      env,
      stdin: 'inherit',
      // On a terminal the group must stay the one that the terminal lets read, and interrupts.
      output: process.stdin.isTTY ? 'terminal' : 'own-group-terminal',
    },
    context,
  );
  switch (outcome.kind) {
    case 'ok':
      return 0;
    case 'failed':
      tell(`${RUN_PARTS_PREFIX}${outcome.failure.message}\n`);
      return outcome.failure.status;
    case 'interrupted':
      return 128 + signalled;
  }
}

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

/** A reader of the event stream that says what upstream says, in its words. */
function printer(): (event: EventBody) => void {
  const tracing = Number(process.env.DIB_DEBUG_TRACE) > 0;
  let state = INITIAL_LOG_STATE;
  return (body) => {
    const event = { ...body, at: 0 };
    const silent = body.kind === 'phase-start' || (body.kind === 'hooks-ignored' && !tracing);
    if (!silent) {
      tell(
        logLines(event, state)
          .map((line) => `${line}\n`)
          .join(''),
      );
    }
    state = nextLogState(state, event);
  };
}

/**
 * Writes to standard error at once, in order with what hooks write there. Not `process.stderr`: it
 * makes a pipe non-blocking, and hooks share it.
 */
function tell(text: string): void {
  writeSync(2, text);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
