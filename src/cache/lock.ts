/**
 * Locks on files that many builds share.
 *
 * Exclusive across processes and machines. A holder that was killed is replaced at once where we can
 * see that it is gone (same machine, same PID namespace), else when its heartbeat has stood still for
 * 6 s. A holder that we can see is alive is never replaced, however long it sleeps. One that we cannot
 * see may be replaced while it sleeps: it learns so from `Lock.signal`. Contenders poll at random
 * times, so nobody starves.
 *
 * The lock of `X` is the directory `X.dib-lock`: hooks of others `flock` the file `X.lock`.
 */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import { configError, Failed } from '../events/failure.ts';
import { LockDirectory } from './lock-directory.ts';

/** How long upstream's hooks wait too. Source: dib contract, 6.2. */
export const DEFAULT_LOCK_WAIT_MS: number = 20 * 60 * 1000;

export interface LockOptions {
  /** Default 20 minutes; 0 is one attempt. */
  readonly waitMs?: number;
  /** Our command, for others to read while they wait. */
  readonly command?: string;
}

export interface Lock extends AsyncDisposable {
  readonly path: string;
  /** Aborted when somebody has taken the lock from us: what it protected is not ours any more. */
  readonly signal: AbortSignal;
}

type Needs = Pick<Context, 'emit' | 'signal'>;

const HEARTBEAT_MS = 1000;
const STALE_MS = 10_000;
/** Of those who are told when the lock is free: only that somebody was killed, nobody tells. The others look. */
const TOLD_PAUSE_MS = 500;
const UNTOLD_PAUSE_MS = 150;
/** A wait that is shorter than this is no news, and saying it would load what says it. */
const QUIET_MS = 2000;

/**
 * Takes the lock of `path`, whose directory must exist.
 *
 * @throws Failed `lock-busy` naming the holder, when it was not to be had in time; `config` when the
 * directory cannot be written.
 */
export async function acquireLock(
  path: string,
  options: LockOptions,
  context: Needs,
): Promise<Lock> {
  const lock = await acquireLockUnless(path, { ...options, unless: async () => false }, context);
  if (lock === undefined) {
    throw new Error(`The lock of ${path} was given up without a reason`);
  }
  return lock;
}

/** What may make a lock needless while we wait for it: the holder has done what we wanted to do. */
export interface UnlessOptions extends LockOptions {
  readonly unless: () => Promise<boolean>;
}

/**
 * The same, but undefined as soon as `unless` says so. It is asked before every look at a lock that
 * somebody has.
 *
 * @throws as acquireLock.
 */
export async function acquireLockUnless(
  path: string,
  options: UnlessOptions,
  context: Needs,
): Promise<Lock | undefined> {
  const directory = `${path}.dib-lock`;
  const info = { host: os.hostname(), pid: process.pid, command: options.command ?? 'dibkit' };
  await using attempt = await LockDirectory.open(
    directory,
    JSON.stringify({ ...info, since: new Date().toISOString() }),
  );
  const lost = new AbortController();
  const release = await waitFor(attempt, { path, lost, ...options }, context);
  if (release === undefined) {
    return undefined;
  }
  await attempt.sweep().catch(() => {});
  return {
    path,
    signal: lost.signal,
    [Symbol.asyncDispose]: async () => {
      // One that was taken from us is not ours to release.
      if (!lost.signal.aborted) {
        await release();
      }
    },
  };
}

interface Wanted extends UnlessOptions {
  readonly path: string;
  readonly lost: AbortController;
}

async function waitFor(
  attempt: LockDirectory,
  wanted: Wanted,
  context: Needs,
): Promise<(() => Promise<void>) | undefined> {
  const started = performance.now();
  const waitMs = wanted.waitMs ?? DEFAULT_LOCK_WAIT_MS;
  let announced: string | undefined;
  let seen: string | undefined;
  for (let delayMs = 10; ; delayMs = Math.min(delayMs * 2, UNTOLD_PAUSE_MS)) {
    context.signal.throwIfAborted();
    const holderFile = await attempt.holder();
    // While the same process has it, nothing is finished.
    if (seen !== undefined && holderFile !== seen && (await wanted.unless())) {
      return undefined;
    }
    seen = holderFile;
    const release = await tryOnce(attempt, wanted);
    if (release !== undefined) {
      return release;
    }
    const waitedMs = performance.now() - started;
    if (waitedMs >= waitMs) {
      throw busy(wanted.path, waitedMs, await describeHolder(holderFile));
    }
    if (waitedMs >= QUIET_MS && holderFile !== undefined && holderFile !== announced) {
      announced = holderFile;
      const holder = await describeHolder(holderFile);
      context.emit({ kind: 'lock-wait', path: wanted.path, holder });
    }
    const untilNewsMs = waitedMs < QUIET_MS ? QUIET_MS - waitedMs : waitMs;
    const longestMs = Math.max(0, Math.min(untilNewsMs, waitMs - waitedMs));
    await pauseWhileHeld(holderFile, { untoldMs: delayMs, longestMs }, context.signal);
  }
}

/**
 * Waits, but no longer than the holder that we have seen is one. The kernel says when its file goes, so that
 * waiting takes nothing from who fetches; what another machine removes is seen at the end of the pause.
 */
async function pauseWhileHeld(
  holderFile: string | undefined,
  pause: { readonly untoldMs: number; readonly longestMs: number },
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  const look = (): void => {
    if (holderFile !== undefined && !existsSync(holderFile)) {
      gone.abort();
    }
  };
  const watcher = holderFile === undefined ? undefined : watchQuietly(dirname(holderFile), look);
  // It may have gone before we watched.
  look();
  // At random, so that nobody is always the last to look.
  const pauseMs = (watcher === undefined ? pause.untoldMs : TOLD_PAUSE_MS) * (0.5 + Math.random());
  try {
    await sleep(Math.min(pauseMs, pause.longestMs), undefined, {
      signal: AbortSignal.any([signal, gone.signal]),
    });
  } catch {
    signal.throwIfAborted();
  } finally {
    watcher?.close();
  }
}

/** Undefined where the directory is gone, or the kernel watches enough already. */
function watchQuietly(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(directory, onChange).on('error', () => {});
  } catch {
    return undefined;
  }
}

/** What releases the lock, or undefined when somebody has it. */
async function tryOnce(
  attempt: LockDirectory,
  { path, lost }: Wanted,
): Promise<(() => Promise<void>) | undefined> {
  try {
    // Those who wait need not load what they cannot use yet.
    if (!(await attempt.isFree())) {
      return undefined;
    }
    const { lock } = await import('proper-lockfile');
    return await lock(path, {
      fs: attempt.fileSystem(),
      lockfilePath: attempt.directory,
      realpath: false,
      stale: STALE_MS,
      update: HEARTBEAT_MS,
      onCompromised: (error) => lost.abort(error),
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ELOCKED') {
      return undefined;
    }
    if (['EROFS', 'EACCES', 'EPERM', 'ENOTDIR'].includes(String(code))) {
      throw configError(`Cannot write beside '${path}': ${code}`, {
        hint: 'Point DIB_IMAGE_CACHE or --image-cache at a directory that you can write',
      });
    }
    throw error;
  }
}

function busy(path: string, waitedMs: number, holder: string): Failed {
  const waited = `waited ${Math.round(waitedMs / 1000)} s`;
  return new Failed({
    kind: 'lock-busy',
    message: `Cannot lock '${path}': ${holder} (${waited})`,
    path: `${path}.dib-lock`,
    hint: 'Wait for that process to end, or end it: its lock is then free by itself',
  });
}

/** Advice, not truth: the holder may be gone already. */
async function describeHolder(file: string | undefined): Promise<string> {
  if (file === undefined) {
    return 'many want it and one has just got it';
  }
  try {
    const { host, pid, command, since } = JSON.parse(await readFile(file, 'utf8'));
    return `process ${pid} on ${host} (${command}) has it since ${since}`;
  } catch {
    const since = await stat(file).then(
      (found) => ` since ${found.ctime.toISOString()}`,
      () => '',
    );
    return `somebody has it${since}`;
  }
}
