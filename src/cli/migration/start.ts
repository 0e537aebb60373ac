/** `migration-update start`: the service in a container. Source: start_container.sh. */
import { homedir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { usageError } from '../../events/failure.ts';
import {
  DEFAULT_IMAGE,
  describeStart,
  type Mount,
  RUNTIMES,
  STATE_PATH,
  type StartSpec,
} from '../../migration/container/commands.ts';
import { containerEnvironment } from '../../migration/container/environment.ts';
import {
  defaultMounts,
  missingMounts,
  readSettings,
  startContainer,
} from '../../migration/container/start.ts';
import { assertTimeZone } from '../../migration/schedule/cron.ts';
import { ownEnvironment } from '../host-facts.ts';
import { parseArguments } from '../parse-arguments.ts';
import { withStopSignal } from '../stop-signal.ts';
import {
  type HostOptions,
  hostContext,
  runtimeOf,
  wantedRuntime,
  withHostOptions,
} from './host-options.ts';
import { DEFAULT_CONFIG_FILE, readConfig, withTimeZoneOption } from './service-options.ts';

const DETAILS = `
Examples:
  migration-update start
  migration-update start --dry-run --runtime podman
      the commands alone
  migration-update start --config config.yaml --state /srv/migration-state --time-zone Asia/Shanghai

Arguments after the options are given to the image in the place of its own command.

Mounted read-only: /srv, ~/.config, /etc/compass-ci, /etc/localtime. The state is kept in a volume, or a
directory, which outlives the container (${STATE_PATH} in there).

compass-ci's settings are read from /etc/compass-ci/{defaults,service,accounts}/*.yaml,
~/.config/compass-ci/defaults/*.yaml and /etc/compass-ci/passwd.yaml. SCHED_HOST, SCHED_PORT and lab are
passed to the container, others with --env NAME. No value is on the runtime's command line.
`;

interface Options extends HostOptions {
  readonly image: string;
  readonly state?: string;
  readonly config?: string;
  readonly env: readonly string[];
  readonly mount: readonly string[];
  readonly without: readonly string[];
  readonly network?: string;
  readonly timeZone: string;
  readonly replace?: true;
  readonly dryRun?: true;
}

/** Status 0: it runs, or has been described. */
export async function startVerb(argv: readonly string[]): Promise<number> {
  const command = startOptions();
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  assertTimeZone(options.timeZone);
  if (options.config !== undefined) {
    // In the container nobody would see what is wrong with it, but in its log.
    await readConfig({ config: options.config });
  }
  const spec = await specOf(options, command.args);
  const start = { spec, replace: options.replace === true };
  if (options.dryRun) {
    process.stdout.write(`${describeStart(spec).join('\n')}\n`);
    const missing = await missingMounts(spec.mounts);
    if (missing !== undefined) {
      process.stderr.write(`Warning: ${missing.message}. ${missing.failure.hint}\n`);
    }
    return 0;
  }
  const id = await withStopSignal((signal) => startContainer(start, hostContext(signal)));
  process.stdout.write(`${id}\n`);
  process.stderr.write(
    `Started '${spec.container}'. See what it does: migration-update logs --follow\n`,
  );
  return 0;
}

function startOptions(): Command {
  const command = withHostOptions(new Command('migration-update start'));
  return withTimeZoneOption(command, 'of the container')
    .description('Stops and removes the old container, and starts a new one, detached.')
    .argument('[command...]')
    .option('--image <name>', 'the image', DEFAULT_IMAGE)
    .option(
      '--state <volume>',
      "where the state is kept: a volume, or a directory (a volume of the container's name)",
    )
    .option('-c, --config <file>', 'the configuration of the service (the built-in one)')
    .option('--env <name[=value]>', 'pass a variable; may be repeated', collect, [])
    .option('--mount <path[:path]>', 'mount something else too, read-only', collect, [])
    .option('--without <path>', 'leave one of the mounts out', collect, [])
    .option('--network <name>', "host, or one of the runtime's (its default)")
    .option('--replace', "remove the old container even if it is somebody else's")
    .option('--dry-run', 'print the commands, secrets masked, and run nothing')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function specOf(options: Options, command: readonly string[]): Promise<StartSpec> {
  const own = ownEnvironment();
  const home = homedir();
  const wanted = wantedRuntime(options);
  return {
    // What would be run can be shown where it cannot be run.
    runtime:
      options.dryRun === true
        ? await runtimeOf(options).catch(() => wanted ?? RUNTIMES[0] ?? 'docker')
        : await runtimeOf(options),
    container: options.name,
    image: options.image,
    state: stateOf(options.state ?? options.name),
    mounts: mountsOf(options, home),
    environment: containerEnvironment({
      settings: await readSettings(home),
      wanted: options.env,
      own,
      timeZone: options.timeZone,
    }),
    ...(options.network === undefined ? {} : { network: options.network }),
    command,
  };
}

/** A volume's name as it is; what has a slash is a directory. */
function stateOf(state: string): string {
  return state.includes('/') ? path.resolve(state) : state;
}

function mountsOf(options: Options, home: string): readonly Mount[] {
  const left = options.without.map((name) => path.resolve(name.replace(/^~(?=\/|$)/, home)));
  const mounts = defaultMounts(home);
  const unknown = left.find((name) => !mounts.some(({ source }) => source === name));
  if (unknown !== undefined) {
    const names = mounts.map(({ source }) => source).join(', ');
    throw usageError(
      `Cannot leave '${unknown}' out (--without): it is not mounted`,
      `One of: ${names}`,
    );
  }
  const config = options.config === undefined ? [] : [`${options.config}:${DEFAULT_CONFIG_FILE}`];
  return [
    ...mounts.filter(({ source }) => !left.includes(source)),
    ...[...config, ...options.mount].map(mountOf),
  ];
}

function mountOf(word: string): Mount {
  const [source = '', target = source, more] = word.split(':');
  if (source === '' || !path.posix.isAbsolute(target) || more !== undefined) {
    throw usageError(
      `Cannot mount '${word}' (--mount): give PATH or PATH:ABSOLUTE-PATH-IN-CONTAINER`,
    );
  }
  return { source: path.resolve(source), target };
}
