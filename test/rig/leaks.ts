/** What a build left behind that it should have undone. Only looks at what concerns one directory. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

/**
 * One line per thing that has to do with `dir`: mounts on or from it, loop devices on files in it,
 * processes that mention it or are in it, work directories and lock files in it. Empty: clean.
 */
export async function leaksOf(dir: string): Promise<readonly string[]> {
  const found = await Promise.all([
    mounts(dir),
    loopDevices(dir),
    processes(dir),
    leftFiles(dir, /^dib_(build|image)\.|\.tmp$|\.partial$|^\.download\.|\.dib-lock$/),
    heldLocks(dir),
  ]);
  return found.flat();
}

/** Processes that have `dir` in their command line, working directory, root or environment of work. */
export async function processes(dir: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => describeProcess(pid, dir)));
  return lines.filter((line) => line !== undefined);
}

async function describeProcess(pid: string, dir: string): Promise<string | undefined> {
  if (Number(pid) === process.pid) {
    return undefined;
  }
  const proc = path.join('/proc', pid);
  // A process may end while we look: then it is no leak.
  const [command, cwd, root, stat] = await Promise.all([
    readFile(path.join(proc, 'cmdline'), 'utf8').catch(() => ''),
    readlink(path.join(proc, 'cwd')).catch(() => ''),
    readlink(path.join(proc, 'root')).catch(() => ''),
    readFile(path.join(proc, 'stat'), 'utf8').catch(() => ''),
  ]);
  const concerns = command.includes(dir) || isIn(cwd, dir) || isIn(root, dir);
  const isZombie = /\) Z /.test(stat);
  return concerns && !isZombie
    ? `process ${pid}: ${command.replaceAll('\0', ' ').trim()}`
    : undefined;
}

/** Whether a path is a directory or below it. */
function isIn(file: string, dir: string): boolean {
  return file === dir || file.startsWith(`${dir}/`);
}

async function mounts(dir: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .filter((line) => line.includes(dir))
    .map((line) => `mount: ${line}`);
}

async function loopDevices(dir: string): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(
    names.map(async (name) => {
      const file = path.join('/sys/block', name, 'loop/backing_file');
      return [name, await readFile(file, 'utf8').catch(() => '')] as const;
    }),
  );
  return files
    .filter(([, file]) => file.includes(dir))
    .map(([name, file]) => `loop device ${name}: ${file.trim()}`);
}

async function leftFiles(dir: string, pattern: RegExp): Promise<string[]> {
  const names = await namesBelow(dir);
  return names
    .filter((name) => pattern.test(path.basename(name)))
    .map((name) => `left in place: ${path.join(dir, name)}`);
}

/** A file that hooks `flock` stays, by design; that somebody holds it is the leak. Source: flock(1). */
async function heldLocks(dir: string): Promise<string[]> {
  const names = await namesBelow(dir);
  return names
    .filter((name) => name.endsWith('.lock'))
    .map((name) => path.join(dir, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
    .filter((file) => spawnSync('flock', ['--nonblock', file, 'true']).status !== 0)
    .map((file) => `lock still held: ${file}`);
}

/** Everything below a directory, also while somebody is removing parts of it. */
async function namesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.map(async (entry) =>
      entry.isDirectory()
        ? (await namesBelow(path.join(dir, entry.name))).map((name) => path.join(entry.name, name))
        : [],
    ),
  );
  return [...entries.map((entry) => entry.name), ...below.flat()];
}
