/**
 * Whether a text that hooks read may act on which directory is the home directory. Pure.
 *
 * What lies there is no input of a layer (`named-paths.ts`), so its name counts only where it can get into
 * the image by itself, or where a program reads its settings from there: another user's are others.
 */

/** Programs whose settings in the home directory change what they fetch or make. Source: their manuals. */
const PROGRAMS = [
  'ansible[\\w-]*',
  'aws',
  'buildah',
  'bzr',
  'cargo',
  'composer',
  'curl',
  'docker',
  'gem',
  'git',
  'go (?:build|get|install|mod|run)',
  'gpg2?',
  'gradle',
  'hg',
  'mvn',
  'npm',
  'npx',
  'pip3?',
  'pipx',
  'pnpm',
  'podman',
  'rpm(?:build)?',
  'scp',
  'sftp',
  'skopeo',
  'ssh',
  'svn',
  'uv',
  'wget',
  'yarn',
] as const;

const READS = [
  'HOME',
  // Of Python and Node.
  'expanduser|Path\\.home|homedir',
  '^#!.*python',
  // `~/x` and `~` alone, and no match (`=~ x`, `$1 ~ /x/`).
  '(?:^|[\\s"\'`=:(])~(?:/|(?=[ \\t]*(?:[;&|)]|$)))',
  // `cd` without a directory.
  '\\bcd(?=[ \\t]*(?:[;&|)]|$))',
  // Not the end of a name: `keyring.gpg`, `apt/trusted.gpg.d`, `python3-pip`.
  `(?<![\\w.-])(?:${PROGRAMS.join('|')})(?!\\w)`,
] as const;

const PATTERN = new RegExp(READS.join('|'), 'm');

/** Whether this text names the home directory, goes there, or starts what looks there. */
export function readsHome(text: string): boolean {
  return PATTERN.test(text);
}
