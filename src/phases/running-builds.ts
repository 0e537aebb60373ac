/** The builds that run on this machine, found by their engines' processes. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { parseEnviron } from '../run-parts/stops.ts';
import { type RunRecord, readRunRecord } from './run-record.ts';

export interface RunningBuild {
  /** The engine's process. */
  readonly pid: number;
  readonly uid: number;
  /** As the build sees it. */
  readonly buildDir: string;
}

/** The build directory in an engine's command line: `node .../program/start-engine.cjs BUILD_DIR DIR...`. Pure. */
export function engineBuildDir(cmdline: string): string | undefined {
  const [, script, buildDir] = cmdline.split('\0').filter((word) => word !== '');
  const isEngine = script !== undefined && /\/program\/start-engine\.cjs$/.test(script);
  return isEngine && buildDir?.startsWith('/') ? buildDir : undefined;
}

/** Builds of all users, oldest process first. */
export async function findBuilds(): Promise<readonly RunningBuild[]> {
  const found = await Promise.all((await processes()).map(buildOf));
  return found.filter((build) => build !== undefined);
}

async function processes(): Promise<readonly number[]> {
  const names = await readdir('/proc');
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** A process may end while we look: then it is no build. */
async function buildOf(pid: number): Promise<RunningBuild | undefined> {
  const buildDir = engineBuildDir(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
  const uid = statusField(await statusOf(pid), 'Uid')[0];
  return buildDir === undefined || uid === undefined ? undefined : { pid, uid, buildDir };
}

function statusOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
}

/** The numbers of a line of `/proc/PID/status`. Pure. Source: proc_pid_status(5). */
export function statusField(status: string, name: string): readonly number[] {
  const [, values = ''] = new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status) ?? [];
  return values.split(/\s+/).filter(Boolean).map(Number);
}

/** A build's directory, as we can reach it: through its process. */
export function reachable(build: RunningBuild): string {
  return path.join(`/proc/${build.pid}/root`, build.buildDir);
}

/** What the build says of itself; undefined before its first phase. */
export function recordOf(build: RunningBuild): Promise<RunRecord | undefined> {
  return readRunRecord(reachable(build));
}

/** Whether a process is in another namespace of that kind than we are. */
export async function isElsewhere(pid: number, kind: 'user' | 'pid'): Promise<boolean> {
  const [theirs, ours] = await Promise.all([
    readlink(`/proc/${pid}/ns/${kind}`),
    readlink(`/proc/self/ns/${kind}`),
  ]);
  return theirs !== ours;
}

/**
 * The environment of the hook that runs or waits there, else that of the phase: what the shell that
 * runs hooks has started last.
 */
export async function hookEnvironment(
  build: RunningBuild,
  record: RunRecord,
): Promise<Readonly<Record<string, string>>> {
  const hook = record.shell === undefined ? undefined : await childOf(build, record.shell);
  const environ =
    hook === undefined ? '' : await readFile(`/proc/${hook}/environ`, 'utf8').catch(() => '');
  return environ === '' ? record.env : parseEnviron(environ);
}

/** A child of the process that the build knows by that number. */
async function childOf(build: RunningBuild, inner: number): Promise<number | undefined> {
  const namespace = await readlink(`/proc/${build.pid}/ns/pid`);
  const all = await Promise.all(
    (await processes()).map(async (pid) => ({
      pid,
      status: await statusOf(pid),
      namespace: await readlink(`/proc/${pid}/ns/pid`).catch(() => ''),
    })),
  );
  const there = all.filter((one) => one.namespace === namespace);
  const parent = there.find(({ status }) => statusField(status, 'NSpid').at(-1) === inner);
  return there.find(({ status }) => statusField(status, 'PPid')[0] === parent?.pid)?.pid;
}
