/** From the text of a configuration file to a checked configuration; what it leaves out is the default. */
import type {
  FetchConfig,
  LimitsConfig,
  MigrationConfig,
  RepositoryConfig,
  ScheduleConfig,
  SourceConfig,
  SubmitConfig,
  TargetConfig,
} from './config.ts';
import { systemKey } from './config.ts';
import { DEFAULT_CONFIG, DEFAULT_JOB_DIRECTORY, jobFile } from './default-config.ts';
import { YamlValue } from './yaml-reader.ts';

const DAY_SECONDS = 86_400;
/** Part of file names, so nothing that a path could be made of. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;
const NAME_MEANING = 'a name of letters, digits, ".", "_" and "-"';
/** No blanks and no control characters; no credentials, which would get into logs. */
const REPOMD = /^https?:\/\/[^\s@]+\/repomd\.xml$/;
const WORD = /^\S+$/;

/** @throws Failed `config`, naming the line. */
export function parseConfig(text: string, file: string): MigrationConfig {
  const fields = YamlValue.parse(text, file).fields([
    'target',
    'systems',
    'architectures',
    'jobDirectory',
    'submit',
    'fetch',
    'limits',
    'schedule',
  ]);
  const jobs = fields.jobDirectory?.text(/^\//, 'an absolute path') ?? DEFAULT_JOB_DIRECTORY;
  return {
    target: fields.target === undefined ? DEFAULT_CONFIG.target : readTarget(fields.target),
    systems:
      fields.systems === undefined
        ? DEFAULT_CONFIG.systems.map((system) => ({ ...system, job: jobFile(jobs, system) }))
        : readSystems(fields.systems, jobs),
    architectures:
      fields.architectures === undefined
        ? DEFAULT_CONFIG.architectures
        : unique(fields.architectures, (item) => item.text(NAME, NAME_MEANING)),
    submit: readSubmit(fields.submit),
    fetch: readFetch(fields.fetch),
    limits: readLimits(fields.limits),
    schedule: readSchedule(fields.schedule),
  };
}

function readTarget(value: YamlValue): TargetConfig {
  const fields = value.fields(['os', 'version', 'repositories']);
  return { ...readName(value, fields), repositories: readRepositories(value, fields.repositories) };
}

function readSystems(value: YamlValue, jobs: string): readonly SourceConfig[] {
  const systems = value.items().map((item) => {
    const fields = item.fields(['os', 'version', 'job', 'repositories']);
    const name = readName(item, fields);
    return {
      ...name,
      job: fields.job?.text(/^\//, 'an absolute path') ?? jobFile(jobs, name),
      repositories: readRepositories(item, fields.repositories),
    };
  });
  refuseRepeats(value, systems.map(systemKey));
  return systems;
}

function readName(
  value: YamlValue,
  { os, version }: { readonly os?: YamlValue; readonly version?: YamlValue },
): { readonly os: string; readonly version: string } {
  if (os === undefined || version === undefined) {
    throw value.wrong('a map with os and version');
  }
  return { os: os.text(NAME, NAME_MEANING), version: version.text(NAME, NAME_MEANING) };
}

function readRepositories(
  system: YamlValue,
  value: YamlValue | undefined,
): readonly RepositoryConfig[] {
  if (value === undefined) {
    throw system.wrong('a map with repositories');
  }
  const repositories = value.items().map(readRepository);
  refuseRepeats(
    value,
    repositories.map(({ id }) => id),
  );
  return repositories;
}

/** A URL alone is a repository that is known by its URL. */
function readRepository(value: YamlValue): RepositoryConfig {
  const meaning = 'the http or https URL of a repomd.xml, without credentials';
  if (value.isText) {
    const url = value.text(REPOMD, meaning);
    return { id: url, url, enabled: true };
  }
  const fields = value.fields(['id', 'url', 'enabled']);
  if (fields.url === undefined) {
    throw value.wrong('a URL, or a map with url');
  }
  const url = fields.url.text(REPOMD, meaning);
  return {
    id: fields.id?.text(WORD, 'a word') ?? url,
    url,
    enabled: fields.enabled?.boolean() ?? true,
  };
}

function readSubmit(value: YamlValue | undefined): SubmitConfig {
  const known = DEFAULT_CONFIG.submit;
  const fields =
    value?.fields([
      'command',
      'arguments',
      'testbox',
      'attempts',
      'retryDelaySeconds',
      'timeoutSeconds',
      'parallel',
      'pauseAfter',
      'pauseSeconds',
      'stopAfter',
      'giveUpAfterRuns',
    ]) ?? {};
  return {
    command:
      (fields.command?.items().map((word) => word.text(/./, 'a word')) as
        | [string, ...string[]]
        | undefined) ?? known.command,
    arguments:
      fields.arguments
        ?.items()
        .map((word) => word.text(/^[^\s=]+=\S*$/, 'of the form key=value')) ?? known.arguments,
    testbox: fields.testbox?.text(NAME, NAME_MEANING) ?? known.testbox,
    attempts: fields.attempts?.integer(1, 100) ?? known.attempts,
    retryDelaySeconds: fields.retryDelaySeconds?.integer(0, DAY_SECONDS) ?? known.retryDelaySeconds,
    timeoutSeconds: fields.timeoutSeconds?.integer(1, DAY_SECONDS) ?? known.timeoutSeconds,
    parallel: fields.parallel?.integer(1, 64) ?? known.parallel,
    pauseAfter: fields.pauseAfter?.integer(0, 1_000_000) ?? known.pauseAfter,
    pauseSeconds: fields.pauseSeconds?.integer(0, 7 * DAY_SECONDS) ?? known.pauseSeconds,
    stopAfter: fields.stopAfter?.integer(1, 1_000_000) ?? known.stopAfter,
    giveUpAfterRuns: fields.giveUpAfterRuns?.integer(1, 10_000) ?? known.giveUpAfterRuns,
  };
}

function readFetch(value: YamlValue | undefined): FetchConfig {
  const known = DEFAULT_CONFIG.fetch;
  const fields =
    value?.fields(['parallel', 'attempts', 'retryDelaySeconds', 'idleSeconds', 'timeoutSeconds']) ??
    {};
  return {
    parallel: fields.parallel?.integer(1, 64) ?? known.parallel,
    attempts: fields.attempts?.integer(1, 100) ?? known.attempts,
    retryDelaySeconds: fields.retryDelaySeconds?.integer(0, DAY_SECONDS) ?? known.retryDelaySeconds,
    idleSeconds: fields.idleSeconds?.integer(1, DAY_SECONDS) ?? known.idleSeconds,
    timeoutSeconds: fields.timeoutSeconds?.integer(1, DAY_SECONDS) ?? known.timeoutSeconds,
  };
}

function readLimits(value: YamlValue | undefined): LimitsConfig {
  const known = DEFAULT_CONFIG.limits;
  const fields = value?.fields(['packagesPerRun', 'newPercent']) ?? {};
  return {
    packagesPerRun: fields.packagesPerRun?.integer(1, 10_000_000) ?? known.packagesPerRun,
    newPercent: fields.newPercent?.integer(0, 100) ?? known.newPercent,
  };
}

function readSchedule(value: YamlValue | undefined): ScheduleConfig {
  const known = DEFAULT_CONFIG.schedule;
  const fields = value?.fields(['cron', 'missed', 'keepLogDays']) ?? {};
  return {
    cron: fields.cron?.text(/^\S+( +\S+){4}$/, 'five fields, as in crontab') ?? known.cron,
    missed:
      (fields.missed?.text(/^(?:run|skip)$/, 'run or skip') as 'run' | 'skip' | undefined) ??
      known.missed,
    keepLogDays: fields.keepLogDays?.integer(1, 36_500) ?? known.keepLogDays,
  };
}

function unique(value: YamlValue, read: (item: YamlValue) => string): readonly string[] {
  const items = value.items().map(read);
  refuseRepeats(value, items);
  return items;
}

function refuseRepeats(value: YamlValue, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw value.wrong(`without repeats: '${repeated}' is there twice`);
  }
}
