/**
 * What the migration service is told to do: the shape of its configuration, and the name under which
 * every file of one system is kept.
 */

/** One source or target repository, by its `repomd.xml`. */
export interface RepositoryConfig {
  /**
   * What the repository is known by from run to run: seeding and the last good list are recorded under
   * it. So it stays when the mirror's host or path changes.
   */
  readonly id: string;
  /** The URL of `repodata/repomd.xml`. */
  readonly url: string;
  readonly enabled: boolean;
}

/** An operating system and its version, as they stand in file names: `centos`, `9-stream`. */
export interface SystemName {
  readonly os: string;
  readonly version: string;
}

/** Where packages go to: what is in there already is not submitted. */
export interface TargetConfig extends SystemName {
  readonly repositories: readonly RepositoryConfig[];
}

/** Where packages come from. */
export interface SourceConfig extends SystemName {
  readonly repositories: readonly RepositoryConfig[];
  /** The job that `submit` is given. Default: `<jobDirectory>/<os>_<version>.yaml`. */
  readonly job: string;
}

export interface SubmitConfig {
  /** The command and its first arguments; never a shell's line. */
  readonly command: readonly [string, ...string[]];
  /** Words after the job's file, besides `repo_addr`, `os_arch` and `testbox`. */
  readonly arguments: readonly string[];
  readonly testbox: string;
  /** Attempts for one package and architecture in one run. */
  readonly attempts: number;
  readonly retryDelaySeconds: number;
  /** How long one attempt may take. */
  readonly timeoutSeconds: number;
  /** Submissions at one time. */
  readonly parallel: number;
  /** So many submissions, then a pause of `pauseSeconds`; 0 is no pause. */
  readonly pauseAfter: number;
  readonly pauseSeconds: number;
  /** So many packages in a row that nobody would take, and the run submits no more. */
  readonly stopAfter: number;
  /** Runs in which a package may fail before it is left alone. */
  readonly giveUpAfterRuns: number;
}

export interface FetchConfig {
  /** Repositories read at one time. */
  readonly parallel: number;
  readonly attempts: number;
  readonly retryDelaySeconds: number;
  /** How long a server may be silent. */
  readonly idleSeconds: number;
  /** How long one repository may take, with all attempts. */
  readonly timeoutSeconds: number;
}

/** What keeps a mistake from becoming thousands of jobs. */
export interface LimitsConfig {
  /** New packages of one system that one run submits; the rest waits for the next. */
  readonly packagesPerRun: number;
  /** More new packages than this share of all stop the system's submission. */
  readonly newPercent: number;
}

export interface ScheduleConfig {
  /** Five fields as in crontab(5), local time. */
  readonly cron: string;
  /** What a start finds that a run was due while nothing ran: run now, or wait for the next. */
  readonly missed: 'run' | 'skip';
  /** Log directories older than this are removed. */
  readonly keepLogDays: number;
}

export interface MigrationConfig {
  readonly target: TargetConfig;
  readonly systems: readonly SourceConfig[];
  readonly architectures: readonly string[];
  readonly submit: SubmitConfig;
  readonly fetch: FetchConfig;
  readonly limits: LimitsConfig;
  readonly schedule: ScheduleConfig;
}

/** `centos_9-stream`: how a system is called in file names and on the command line. */
export function systemKey({ os, version }: SystemName): string {
  return `${os}_${version}`;
}
