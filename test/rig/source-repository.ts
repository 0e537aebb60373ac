/** Small git repositories for tests of what fetches them. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** What git prints, less the newline at its end; none of the user's configuration is read. */
export function git(directory: string, ...args: readonly string[]): string {
  const env = {
    PATH: process.env.PATH,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.org',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.org',
  };
  return execFileSync('git', ['-C', directory, ...args], { env, encoding: 'utf8' }).trimEnd();
}

/**
 * A repository whose `file` says which commit it is of: `first` (tags v1 and annotated), then
 * `stable` and `master` (the branches), and `change` (refs/changes/72/1/8, reachable by no branch).
 */
export async function makeRepository(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  git(directory, 'init', '--quiet', '--initial-branch=master');
  await commit(directory, 'first');
  git(directory, 'tag', 'v1');
  git(directory, 'tag', '-m', 'annotated', 'annotated');
  git(directory, 'checkout', '--quiet', '-b', 'stable');
  await commit(directory, 'stable');
  git(directory, 'checkout', '--quiet', '--detach');
  await commit(directory, 'change');
  git(directory, 'update-ref', 'refs/changes/72/1/8', 'HEAD');
  git(directory, 'checkout', '--quiet', 'master');
  await commit(directory, 'master');
}

async function commit(directory: string, content: string): Promise<void> {
  await writeFile(path.join(directory, 'file'), `${content}\n`);
  git(directory, 'add', 'file');
  git(directory, 'commit', '--quiet', '--message', content);
}
