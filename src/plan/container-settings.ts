/**
 * What a container image says about how it is run. Elements bring settings in `container.d`, the user
 * in variables; later ones win. Field names are those of the files.
 *
 * Source of meanings: OCI image-spec, config.md; Dockerfile reference.
 */
export interface ContainerSettings {
  /** Environment of every process in the container. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly workdir?: string;
  /** The program and its first arguments. */
  readonly entrypoint?: readonly string[];
  /** What is run, or the arguments of the entry point; who starts the container may replace it. */
  readonly cmd?: readonly string[];
  /** `user`, `uid`, `user:group`, `uid:gid`. */
  readonly user?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `80/tcp`. */
  readonly ports?: readonly string[];
  /** Absolute directories that are kept outside of the container's own layer. */
  readonly volumes?: readonly string[];
  readonly author?: string;
  /** `SIGTERM`, `SIGRTMIN+3` or a number. */
  readonly 'stop-signal'?: string;
}

export type SettingName = keyof ContainerSettings;

/**
 * Settings with more on top: maps are merged key by key, ports and volumes collected, everything else
 * replaced. A new entry point takes the earlier `cmd` away, which was meant for another program.
 */
export function mergeSettings(
  below: ContainerSettings,
  above: ContainerSettings,
): ContainerSettings {
  const { cmd: _replaced, ...withoutCmd } = below;
  const kept = above.entrypoint === undefined ? below : withoutCmd;
  return {
    ...kept,
    ...above,
    ...together('env', mergeMaps(below.env, above.env)),
    ...together('labels', mergeMaps(below.labels, above.labels)),
    ...together('ports', mergeLists(below.ports, above.ports)),
    ...together('volumes', mergeLists(below.volumes, above.volumes)),
  };
}

function together<K extends SettingName>(
  name: K,
  value: ContainerSettings[K] | undefined,
): ContainerSettings {
  return value === undefined ? {} : { [name]: value };
}

type Texts = Readonly<Record<string, string>>;

function mergeMaps(below: Texts | undefined, above: Texts | undefined): Texts | undefined {
  return below === undefined && above === undefined ? undefined : { ...below, ...above };
}

function mergeLists(
  below: readonly string[] | undefined,
  above: readonly string[] | undefined,
): readonly string[] | undefined {
  return below === undefined && above === undefined
    ? undefined
    : [...new Set([...(below ?? []), ...(above ?? [])])];
}

/** One value of a setting that holds single texts: what it must look like, and what it is kept as. */
export interface ValueRule {
  /** For messages: "must be ...". */
  readonly expected: string;
  /** Undefined for a text that will not do. */
  parse(text: string): string | undefined;
}

function matching(expected: string, pattern: RegExp): ValueRule {
  return { expected, parse: (text) => (pattern.test(text) ? text : undefined) };
}

const ABSOLUTE = matching('an absolute path', /^\/[^\0]*$/);

type RuledSetting = Exclude<SettingName, 'entrypoint' | 'cmd'>;

/** Rules of single texts, of the items of `ports` and `volumes`, of the names in `env` and `labels`. */
export const VALUE_RULES: Readonly<Record<RuledSetting, ValueRule>> = {
  workdir: ABSOLUTE,
  volumes: ABSOLUTE,
  user: matching('USER, UID, USER:GROUP or UID:GID', /^[\w.-]+(:[\w.-]+)?$/),
  author: matching('a text', /^[^\0]*$/),
  'stop-signal': matching(
    'a signal such as SIGTERM, SIGRTMIN+3 or 15',
    /^(SIG[A-Z][A-Z0-9]*([+-]\d+)?|[1-9]\d?)$/,
  ),
  ports: { expected: 'a port from 1 to 65535, as 80, 80/tcp, 53/udp or 7/sctp', parse: parsePort },
  env: matching('a name without = or blanks', /^[^=\s\0]+$/),
  labels: matching('a name without blanks', /^[^\s\0]+$/),
};

function parsePort(text: string): string | undefined {
  const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  const number = Number(port ?? 0);
  return number >= 1 && number <= 65_535 ? `${number}/${protocol}` : undefined;
}

/** A text where a list of words may stand is run by the shell. Source: Dockerfile, "Shell form". */
export function shellForm(text: string): readonly string[] {
  return ['/bin/sh', '-c', text];
}
