/** The command lines of tar for one layer of a container image, and the list that it reads. Pure. */
import type { Member } from './layer-members.ts';
import { bytesOf } from './tar-records.ts';
import type { Argv } from './writer.ts';

export interface ArchiveRules {
  /** Seconds since 1970; later times of files become this. */
  readonly newest?: number;
  /** Members that stay out, as patterns of GNU tar from the top of the tree. */
  readonly leaveOut: readonly string[];
}

/** Archives a whole tree. */
export function treeArgv(directory: string, rules: ArchiveRules): Argv {
  return ['tar', '-C', directory, ...archiveArgs(rules), '-cf', '-', '.'];
}

/** Archives the members of a list on standard input, as `treeArgv` would if they were one tree. */
export function membersArgv(rules: ArchiveRules): Argv {
  return [
    'tar',
    ...archiveArgs(rules),
    '--no-recursion',
    '--no-unquote',
    '--null',
    // So that the list may say where the next ones lie.
    '--no-verbatim-files-from',
    '--files-from=-',
    '-cf',
    '-',
  ];
}

/** The list for `membersArgv`. */
export function memberList(members: readonly Member[]): Buffer {
  const lines: string[] = [];
  let from: string | undefined;
  for (const { directory, path } of members) {
    if (directory !== from) {
      from = directory;
      lines.push(`-C "${bytesOf(directory).replaceAll(/["\\]/g, '\\$&')}"`);
    }
    lines.push(path === '' ? '.' : `./${path}`);
  }
  return Buffer.from(lines.map((line) => `${line}\0`).join(''), 'latin1');
}

/**
 * Times without fractions and, with `newest`, none above it; no access or change times, and extended headers
 * with names that do not hold the process's number.
 * Source: GNU tar's manual, "Reproducibility"; pax(1), "Extended Header Keywords".
 */
function archiveArgs(rules: ArchiveRules): readonly string[] {
  return [
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime,delete=mtime',
    ...(rules.newest === undefined ? [] : [`--mtime=@${rules.newest}`, '--clamp-mtime']),
    '--numeric-owner',
    '--sort=name',
    '--xattrs',
    '--xattrs-include=*',
    ...(rules.leaveOut.length === 0 ? [] : ['--anchored', '--wildcards']),
    ...rules.leaveOut.map((pattern) => `--exclude=${pattern}`),
  ];
}
