/**
 * What builds that did not end by themselves may have left: killed ones of other tools and older
 * versions, and everything that was there when the power went.
 *
 * Whatever might be in use is only reported: a mount on it, a loop device on a file in it, a process
 * that is in it or names it, or that it has just been made.
 */
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { mountsBelow } from '../sandbox/mounts.ts';

export interface Leftover {
  readonly path: string;
  /** Why it stays; undefined when nobody needs it. */
  readonly inUse?: string;
}

/** Work directories, with the suffix that mktemp makes (compat), and pipes. */
const WORK = /^(?:dib_build\.|dib_explain\.|dib_image\.|dib-pipe-|dib-layers-)[0-9A-Za-z]{6,10}$/;

/** Images that were being written, beside where they were to be. */
const STAGING = /^\..+\.dib-[0-9A-Za-z]{8}$/;

/** What is younger may belong to a build that is just starting. */
const YOUNG_MS = 10 * 60 * 1000;

/** Whether a name is one of a work directory. Pure. */
export function isWorkName(name: string): boolean {
  return WORK.test(name) || STAGING.test(name);
}

/** The leftovers directly in some directories that belong to `uid`, sorted. */
export async function findLeftovers(
  directories: readonly string[],
  uid: number,
): Promise<readonly Leftover[]> {
  const found = await Promise.all([...new Set(directories)].map((each) => namesIn(each, uid)));
  const paths = found.flat().sort();
  if (paths.length === 0) {
    return [];
  }
  const witness = await lookAround();
  return Promise.all(
    paths.map(async (file) => {
      const inUse = (await youth(file)) ?? witness(file);
      return inUse === undefined ? { path: file } : { path: file, inUse };
    }),
  );
}

async function namesIn(directory: string, uid: number): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const paths = entries
    .filter((entry) => entry.isDirectory() && isWorkName(entry.name))
    .map((entry) => path.join(directory, entry.name));
  const owners = await Promise.all(
    paths.map((file) =>
      lstat(file).then(
        (found) => found.uid,
        () => -1,
      ),
    ),
  );
  return paths.filter((_, index) => owners[index] === uid);
}

async function youth(file: string): Promise<string | undefined> {
  const found = await lstat(file).catch(() => undefined);
  return found === undefined || Date.now() - found.ctimeMs < YOUNG_MS
    ? 'it was made or changed a moment ago'
    : undefined;
}

/** Reads mounts, loop devices and processes once; what they say of a directory. */
async function lookAround(): Promise<(file: string) => string | undefined> {
  const [mountinfo, loops, processes] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    loopDevices(),
    processTexts(),
  ]);
  return (file) => {
    const [mount] = mountsBelow(`${mountinfo}`, file).concat(
      isMounted(mountinfo, file) ? [file] : [],
    );
    if (mount !== undefined) {
      return `something is mounted there: umount ${mount}`;
    }
    const loop = loops.find(({ backing }) => backing.startsWith(`${file}/`));
    if (loop !== undefined) {
      return `a loop device has a file of it: losetup -d /dev/${loop.name}`;
    }
    // By the random name: a process may know the directory by another path.
    const user = processes.find(({ text }) => mentions(text, path.basename(file)));
    return user === undefined ? undefined : `the process ${user.pid} uses it`;
  };
}

function isMounted(mountinfo: string, file: string): boolean {
  return mountinfo.split('\n').some((line) => line.split(' ')[4] === file);
}

async function loopDevices(): Promise<
  readonly { readonly name: string; readonly backing: string }[]
> {
  const names = await readdir('/sys/block').catch(() => []);
  return Promise.all(
    names
      .filter((name) => name.startsWith('loop'))
      .map(async (name) => ({
        name,
        backing: await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => ''),
      })),
  );
}

interface ProcessText {
  readonly pid: string;
  /** Words, variables, directories: everything in which a path can be, separated by NUL. */
  readonly text: string;
}

async function processTexts(): Promise<readonly ProcessText[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids
      .filter((pid) => Number(pid) !== process.pid)
      .map(async (pid) => {
        const parts = await Promise.all([
          readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
          readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
          readlink(`/proc/${pid}/cwd`).catch(() => ''),
          readlink(`/proc/${pid}/root`).catch(() => ''),
          readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => ''),
        ]);
        return { pid, text: parts.join('\0') };
      }),
  );
}

/** Whether a text has a name in it, as part of a path. Pure. */
export function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    if (!/[0-9A-Za-z_.-]/.test(text[at + name.length] ?? '')) {
      return true;
    }
  }
  return false;
}
