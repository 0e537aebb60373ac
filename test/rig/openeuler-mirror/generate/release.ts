/** What differs between releases of openEuler, as text. Pure. */

export interface Release {
  /** As in the mirror's `openEuler-NAME`. */
  readonly name: string;
  /** What dnf takes for $releasever. */
  readonly releasever: string;
  /** Of os-release. */
  readonly version: string;
  readonly versionId: string;
  /** The end of the release field of RPMs. */
  readonly dist: string;
  /** Repository files of older releases have no metalink lines. */
  readonly hasMetalink: boolean;
  /** Older containers log idle shells out. */
  readonly hasTimeout: boolean;
}

/** The oldest kind of 22.03, and a service pack of the kind that is made today. */
export const RELEASES: readonly Release[] = [
  {
    name: '22.03-LTS',
    releasever: '22.03LTS',
    version: '22.03 LTS',
    versionId: '22.03',
    dist: 'oe2203',
    hasMetalink: false,
    hasTimeout: true,
  },
  {
    name: '22.03-LTS-SP4',
    releasever: '22.03LTS_SP4',
    version: '22.03 (LTS-SP4)',
    versionId: '22.03',
    dist: 'oe2203sp4',
    hasMetalink: true,
    hasTimeout: false,
  },
];

/** A file of a package: its path, and what is in it. */
export type TextFiles = Readonly<Record<string, string>>;

/** The files of openEuler-release that name the release. */
export function releaseFiles(release: Release): TextFiles {
  const title = `openEuler release ${release.version}\n`;
  return {
    '/etc/openEuler-release': title,
    '/usr/lib/os-release': [
      'NAME="openEuler"',
      `VERSION="${release.version}"`,
      'ID="openEuler"',
      `VERSION_ID="${release.versionId}"`,
      `PRETTY_NAME="openEuler ${release.version}"`,
      'ANSI_COLOR="0;31"',
      '',
    ].join('\n'),
  };
}

/** /etc/openEuler-latest, of openEuler-latest-release. */
export function latestFiles(release: Release): TextFiles {
  const version = `openeulerversion=openEuler-${release.name}`;
  return { '/etc/openEuler-latest': `${version}\ncompiletime=2022-03-30-15-17-30\n` };
}

const OFFICIAL = 'http://repo.openeuler.org';
const METALINK = 'https://mirrors.openeuler.org/metalink';

/** One section: id, path, what metalink asks for, where the key is. */
const SECTIONS = [
  ['OS', 'OS/$basearch', 'repo=$releasever/OS&arch=$basearch', 'OS/$basearch'],
  [
    'everything',
    'everything/$basearch',
    'repo=$releasever/everything&arch=$basearch',
    'everything/$basearch',
  ],
  ['EPOL', 'EPOL/main/$basearch', 'repo=$releasever/EPOL/main&arch=$basearch', 'OS/$basearch'],
  [
    'debuginfo',
    'debuginfo/$basearch',
    'repo=$releasever/debuginfo&arch=$basearch',
    'debuginfo/$basearch',
  ],
  ['source', 'source', 'repo=$releasever&arch=source', 'source'],
  ['update', 'update/$basearch', 'repo=$releasever/update&arch=$basearch', 'OS/$basearch'],
  ['update-source', 'update/source', 'repo=$releasever/update&arch=source', 'source'],
] as const;

/** /etc/yum.repos.d/openEuler.repo: it points at the official mirror, as the real one does. */
export function repoFile(release: Release): string {
  const base = `${OFFICIAL}/openEuler-${release.name}`;
  const head = '#The licence of the stand-in is that of dibkit: Apache-2.0.\n';
  return (
    head +
    SECTIONS.filter(([id]) => release.hasMetalink || id !== 'update-source')
      .map(([id, path, metalink, key]) =>
        [
          '',
          `[${id}]`,
          `name=${id}`,
          `baseurl=${base}/${path}/`,
          ...(release.hasMetalink
            ? [`metalink=${METALINK}?${metalink}`, 'metadata_expire=1h']
            : []),
          'enabled=1',
          'gpgcheck=1',
          `gpgkey=${base}/${key}/RPM-GPG-KEY-openEuler`,
          '',
        ].join('\n'),
      )
      .join('')
  );
}
