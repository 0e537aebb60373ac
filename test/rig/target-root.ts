/**
 * A root in which hooks for the target run by themselves: its programs are this machine's, read-only;
 * everything outside of /usr is what the test puts there. In /usr that holds for /usr/local, for directories that
 * the machine does not have there, and for those that the test has put files into.
 *
 *     await using target = await openTarget({ 'etc/selinux/config': 'SELINUX=enforcing\n' });
 *     await target.hook('disable-selinux/post-install.d/50-disable', { NAME: 'value' });
 *     assert.equal(await target.read('etc/selinux/config'), …);
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from './run-hook.ts';

export interface TargetResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of the environment that the tests are run in. */
const HOST = { PATH: '/usr/sbin:/usr/bin' };

/**
 * $1 is the root, $2 how many variables follow; then come the script's arguments. The target's own part of
 * /usr stays reachable in /own while the machine's directories are mounted over it.
 */
const SCRIPT = `
  set -eu
  root=$1 variables=$2
  shift 2
  mount --bind "$root/usr" "$root/own"
  for dir in /usr/*; do
    if [ -d "$dir" ] && [ "$dir" != /usr/local ]; then
      mkdir -p "$root$dir"
      mount --bind "$dir" "$root$dir"
      mount -o remount,bind,ro "$root$dir"
    fi
  done
  while IFS= read -r dir; do
    mount --bind "$root/own/$dir" "$root/usr/$dir"
  done <"$root/own-directories"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  export PATH=/stubs:/usr/local/sbin:/usr/sbin:/usr/bin LC_ALL=C HOME=/root
  while [ "$variables" -gt 0 ]; do
    export "$1"
    shift
    variables=$((variables - 1))
  done
  exec /usr/sbin/chroot "$root" /bin/sh -c 'cd / && exec /hook "$@"' sh "$@" </dev/null`;

export class TargetRoot implements AsyncDisposable {
  readonly dir: string;
  /** What of /usr is the target's own, on top of what the machine does not have. */
  readonly #own: readonly string[];

  constructor(dir: string, own: readonly string[] = []) {
    this.dir = dir;
    this.#own = own;
  }

  /** Runs a hook of a built-in element, `ELEMENT/PHASE.d/HOOK`, and expects it to succeed. */
  async hook(name: string, env: Readonly<Record<string, string>> = {}): Promise<TargetResult> {
    const result = await this.tryHook(name, env);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    return result;
  }

  /** The same, whatever becomes of it. */
  async tryHook(name: string, env: Readonly<Record<string, string>> = {}): Promise<TargetResult> {
    return this.run(await readFile(path.join(ROOT, 'elements', name), 'utf8'), [], env);
  }

  /** Runs a script, given as its text. */
  async run(
    script: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<TargetResult> {
    await writeFile(path.join(this.dir, 'hook'), script, { mode: 0o755 });
    await writeFile(
      path.join(this.dir, 'own-directories'),
      this.#own.map((it) => `${it}\n`).join(''),
    );
    const unshare = ['--mount', '--propagation', 'private', '--pid', '--fork', 'sh', '-c', SCRIPT];
    const variables = Object.entries(env).map(([variable, value]) => `${variable}=${value}`);
    return new Promise((resolve) => {
      const argv = [...unshare, 'sh', this.dir, String(variables.length), ...variables, ...args];
      const child = execFile('unshare', argv, { env: HOST }, (_error, stdout, stderr) => {
        resolve({ status: child.exitCode, stdout, stderr });
      });
    });
  }

  /** What a file has; undefined when it is not there. */
  async read(name: string): Promise<string | undefined> {
    return readFile(path.join(this.dir, name), 'utf8').catch(() => undefined);
  }

  /** What a stub was called with, a line for each call; see `openTarget`. */
  async calls(): Promise<readonly string[]> {
    return ((await this.read('calls')) ?? '').split('\n').filter((line) => line !== '');
  }

  /** Every file below a directory, by its path in it; sorted. */
  async files(name: string): Promise<readonly string[]> {
    const dir = path.join(this.dir, name);
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
      .sort();
  }

  async mode(name: string): Promise<string> {
    return ((await lstat(path.join(this.dir, name))).mode & 0o7777).toString(8);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/**
 * Makes the root. `stubs` are commands to be found before the real ones: each writes its name and
 * arguments to /calls, then does what its text says.
 */
export async function openTarget(
  files: Readonly<Record<string, string>> = {},
  stubs: Readonly<Record<string, string>> = {},
): Promise<TargetRoot> {
  const dir = await mkdtemp(path.join(tmpdir(), 'dibkit-target-'));
  for (const name of [
    'usr/local/bin',
    'own',
    'dev',
    'proc',
    'etc',
    'root',
    'run',
    'tmp',
    'var/tmp',
    'boot',
    'stubs',
  ]) {
    await mkdir(path.join(dir, name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await symlink(`usr/${name}`, path.join(dir, name));
  }
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, content.startsWith('#!') ? 0o755 : 0o644);
  }
  for (const [name, body] of Object.entries(stubs)) {
    const text = `#!/bin/sh\necho "${name}${'$'}{*:+ $*}" >>/calls\n${body}\n`;
    await writeFile(path.join(dir, 'stubs', name), text, { mode: 0o755 });
  }
  return new TargetRoot(dir, ownDirectories(Object.keys(files)));
}

/** The directories in /usr that these files are in, without those below others of them. */
function ownDirectories(files: readonly string[]): readonly string[] {
  const own = files
    .filter((file) => file.startsWith('usr/') && !file.startsWith('usr/local/'))
    .map((file) => path.dirname(file).slice('usr/'.length));
  return [...new Set(own)].filter((dir) => !own.some((above) => dir.startsWith(`${above}/`)));
}
