/** Command lines of the container runtimes. Pure. */
import type { Setting } from './settings.ts';

export type RuntimeName = 'docker' | 'podman' | 'nerdctl';

/** In the order in which they are looked for. */
export const RUNTIMES: readonly RuntimeName[] = ['docker', 'podman', 'nerdctl'];

export type Argv = readonly [string, ...string[]];

/** The original's names, so that what operators know by heart keeps working. */
export const DEFAULT_CONTAINER = 'openeuler-package-update';
export const DEFAULT_IMAGE = 'openeuler-package-migration-update';

/** On every container that we start. */
export const LABEL = 'org.dibkit.service=migration-update';

/** Where the state is in the container. */
export const STATE_PATH = '/var/lib/migration-update';

/** How long a container may take to write down what it did. */
export const STOP_SECONDS = 120;

export interface Mount {
  readonly source: string;
  readonly target: string;
  /** One of those that `--without` leaves out. */
  readonly isDefault?: true;
}

export interface StartSpec {
  readonly runtime: RuntimeName;
  readonly container: string;
  readonly image: string;
  /** The name of a volume, or an absolute path: mounted read-write. */
  readonly state: string;
  /** Read-only. */
  readonly mounts: readonly Mount[];
  /** The values are not part of the command line. */
  readonly environment: ReadonlyMap<string, Setting>;
  /** `host`, or a network's name; the runtime's own default when absent. */
  readonly network?: string;
  /** In the place of the image's own command. */
  readonly command: readonly string[];
}

/** What keeps logs from filling the disk; each runtime has its own way. */
const LOG_OPTIONS: Readonly<Record<RuntimeName, readonly string[]>> = {
  docker: ['--log-driver', 'local'],
  podman: ['--log-opt', 'max-size=20mb'],
  nerdctl: ['--log-opt', 'max-size=20m', '--log-opt', 'max-file=3'],
};

/** Reaps what `submit` leaves behind; only docker brings the program for it along. */
const INIT_OPTIONS: Readonly<Record<RuntimeName, readonly string[]>> = {
  docker: ['--init'],
  podman: [],
  nerdctl: [],
};

export function startCommand(spec: StartSpec): Argv {
  return [
    spec.runtime,
    ...['run', '--detach', '--name', spec.container, '--label', LABEL],
    ...['--restart', 'unless-stopped', '--stop-timeout', String(STOP_SECONDS)],
    ...INIT_OPTIONS[spec.runtime],
    ...LOG_OPTIONS[spec.runtime],
    ...['--volume', `${spec.state}:${STATE_PATH}`],
    ...spec.mounts.flatMap(({ source, target }) => ['--volume', `${source}:${target}:ro`]),
    ...[...spec.environment.keys()].flatMap((name) => ['--env', name]),
    ...(spec.network === undefined ? [] : ['--network', spec.network]),
    spec.image,
    ...spec.command,
  ];
}

/** Stops a container and lets it end a run properly. */
export function stopCommand(runtime: RuntimeName, container: string): Argv {
  return [runtime, 'stop', '--time', String(STOP_SECONDS), container];
}

export function removeCommand(runtime: RuntimeName, container: string): Argv {
  return [runtime, 'rm', '--force', container];
}

export interface LogsOptions {
  readonly follow: boolean;
  /** The last so many lines; all when absent. */
  readonly tail?: string;
}

export function logsCommand(runtime: RuntimeName, container: string, options: LogsOptions): Argv {
  const follow = options.follow ? ['--follow'] : [];
  // docker calls all of them `all`, which podman takes for no number.
  const tail = options.tail === undefined ? [] : ['--tail', options.tail];
  return [runtime, 'logs', ...follow, ...tail, container];
}

export function imageCommand(runtime: RuntimeName, image: string): Argv {
  return [runtime, 'image', 'inspect', '--format', '{{.Id}}', image];
}

/** Names with their labels and images, of all containers, one per line and separated by tabs. */
export function listCommand(runtime: RuntimeName): Argv {
  return [runtime, 'ps', '--all', '--no-trunc', '--format', '{{.Names}}\t{{.Image}}\t{{.Labels}}'];
}

export interface Listed {
  readonly image: string;
  /** Whether it is the service's: by our label, or by its image, as the original starts it. */
  readonly ours: boolean;
}

/** What a listing says of a container; undefined when there is none of the name. */
export function findListed(listing: string, container: string): Listed | undefined {
  for (const line of listing.split('\n')) {
    const [names = '', image = '', labels = ''] = line.split('\t');
    if (names.split(',').includes(container)) {
      const [key = '', value = ''] = LABEL.split('=');
      // docker writes a=b,c=d and podman map[a:b c:d].
      const labelled = labels.includes(LABEL) || labels.includes(`${key}:${value}`);
      return { image, ours: labelled || imageName(image) === DEFAULT_IMAGE };
    }
  }
  return undefined;
}

/** Less registry and tag. */
function imageName(image: string): string {
  return image.replace(/[:@][^/]*$/, '').replace(/^.*\//, '');
}

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

function quote(word: string): string {
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line for people to read, and to paste where nothing in it is masked. */
export function renderCommand(
  argv: readonly string[],
  environment: ReadonlyMap<string, Setting> = new Map(),
): string {
  const variables = [...environment].map(
    ([name, { value, secret }]) => `${name}=${secret ? '***' : quote(value)}`,
  );
  return [...variables, ...argv.map(quote)].join(' ');
}

/** What `start` would run, for people: secrets are masked. */
export function describeStart(spec: StartSpec): readonly string[] {
  return [
    `# if '${spec.container}' is there already:`,
    renderCommand(stopCommand(spec.runtime, spec.container)),
    renderCommand(removeCommand(spec.runtime, spec.container)),
    `# start '${spec.container}':`,
    renderCommand(startCommand(spec), spec.environment),
  ];
}
