/** What is installed on the host. */
import { accessSync, constants, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** Administrators' tools live in directories that an ordinary PATH lacks. */
const SYSTEM_DIRECTORIES = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

/** The PATH of our own tools: the user's, then the system's directories that it lacks. */
export function toolPath(userPath: string | undefined): string {
  const entries = (userPath ?? '').split(':').filter((entry) => path.isAbsolute(entry));
  return [...new Set([...entries, ...SYSTEM_DIRECTORIES])].join(':');
}

/** The file that would run for `tool`, or undefined. */
export function findTool(tool: string, searchPath: string): string | undefined {
  return searchPath
    .split(':')
    .map((directory) => path.join(directory, tool))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    // Asked first: in most directories of a PATH there is none, and to make an error takes longer.
    if (statSync(file, { throwIfNoEntry: false }) === undefined) {
      return false;
    }
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export type PackageFamily = 'debian' | 'redhat' | 'suse';

/** Which package manager the host has, from os-release's ID and ID_LIKE. Pure. Source: os-release(5). */
export function packageFamily(osRelease: string): PackageFamily | undefined {
  const words = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(
    (match) => match[1]?.split(' ') ?? [],
  );
  if (words.some((word) => ['debian', 'ubuntu'].includes(word))) {
    return 'debian';
  }
  if (words.some((word) => ['rhel', 'fedora', 'centos', 'openEuler', 'openeuler'].includes(word))) {
    return 'redhat';
  }
  return words.some((word) => word.includes('suse')) ? 'suse' : undefined;
}

export async function hostPackageFamily(): Promise<PackageFamily | undefined> {
  return packageFamily(await readFile('/etc/os-release', 'utf8').catch(() => ''));
}
