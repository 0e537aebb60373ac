/**
 * The configuration that needs no file: the original's repositories, jobs and pace.
 *
 * Source: watch_update_source/config/repo_cfg.sh, task/task_crontab.sh and utils/submit-repair.sh of
 * EasyPackages; the limits are ours.
 */
import type { MigrationConfig, RepositoryConfig, SystemName } from './config.ts';
import { systemKey } from './config.ts';

/** Where the image has the jobs of EasyPackages. */
export const DEFAULT_JOB_DIRECTORY = '/root/easypackages/easypackages/watch_update_source/job_yaml';

/** The job of a system in a directory of jobs. */
export function jobFile(directory: string, system: SystemName): string {
  return `${directory}/${systemKey(system)}.yaml`;
}

function repositories(
  base: string,
  paths: Readonly<Record<string, string>>,
): readonly RepositoryConfig[] {
  return Object.entries(paths).map(([id, path]) => ({
    id,
    url: `${base}/${path}/repodata/repomd.xml`,
    enabled: true,
  }));
}

const CENTOS = { os: 'centos', version: '9-stream' } as const;
const FEDORA = { os: 'fedora', version: '40' } as const;

export const DEFAULT_CONFIG: MigrationConfig = {
  target: {
    os: 'openeuler',
    version: '24_03_LTS',
    repositories: [
      ...repositories('https://mirrors.163.com/openeuler/openEuler-24.03-LTS', {
        epol: 'EPOL/main/source',
        'epol-update': 'EPOL/update/main/source',
        source: 'source',
        update: 'update/source',
      }),
      ...repositories('https://repo.oepkgs.net/openEuler/rpm/openEuler-24.03-LTS', {
        'oepkgs-fedora40': 'fedora40/source',
      }),
    ],
  },
  systems: [
    {
      ...CENTOS,
      job: jobFile(DEFAULT_JOB_DIRECTORY, CENTOS),
      repositories: [
        ...repositories('https://mirror.stream.centos.org/9-stream', {
          appstream: 'AppStream/source/tree',
          baseos: 'BaseOS/source/tree',
          crb: 'CRB/source/tree',
          highavailability: 'HighAvailability/source/tree',
          rt: 'RT/source/tree',
          resilientstorage: 'ResilientStorage/source/tree',
        }),
        ...repositories('https://dl.fedoraproject.org/pub/epel', {
          'epel-next': 'next/9/Everything/source/tree',
          'epel-next-testing': 'testing/next/9/Everything/source/tree',
        }),
      ],
    },
    {
      ...FEDORA,
      job: jobFile(DEFAULT_JOB_DIRECTORY, FEDORA),
      repositories: repositories('https://mirrors.aliyun.com/fedora', {
        updates: 'updates/40/Everything/source/tree',
        'updates-modular': 'updates/40/Modular/source/tree',
        'updates-testing': 'updates/testing/40/Everything/source/tree',
        'updates-testing-modular': 'updates/testing/40/Modular/source/tree',
        everything: 'releases/40/Everything/source/tree',
        server: 'releases/40/Server/source/tree',
      }),
    },
  ],
  architectures: ['aarch64', 'x86_64'],
  submit: {
    command: ['submit'],
    arguments: ['check_rpm_install=yes'],
    testbox: 'vm-2p8g',
    attempts: 5,
    retryDelaySeconds: 10,
    timeoutSeconds: 600,
    parallel: 2,
    pauseAfter: 500,
    pauseSeconds: 7200,
    stopAfter: 3,
    giveUpAfterRuns: 10,
  },
  fetch: {
    parallel: 8,
    attempts: 3,
    retryDelaySeconds: 5,
    idleSeconds: 60,
    timeoutSeconds: 1800,
  },
  limits: { packagesPerRun: 500, newPercent: 25 },
  schedule: { cron: '0 2 * * *', missed: 'run', keepLogDays: 30 },
};
