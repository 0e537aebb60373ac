/** Which of the running builds `dibkit enter` goes into. Pure. */
import path from 'node:path';
import { type Failed, usageError } from '../events/failure.ts';
import { closestNames } from '../plan/closest.ts';
import type { RunRecord } from './run-record.ts';
import type { RunningBuild } from './running-builds.ts';

export interface KnownBuild extends RunningBuild {
  /** Of the user who asks. */
  readonly ours: boolean;
  /** Undefined before its first phase, and of somebody else's build. */
  readonly record: RunRecord | undefined;
}

/** One line: which build, of what, and what it does now. */
export function describeBuild(build: KnownBuild): string {
  return `${build.buildDir}  ${stateOf(build)}`;
}

function stateOf({ ours, uid, record }: KnownBuild): string {
  if (!ours) {
    return `of the user with the id ${uid}`;
  }
  if (record === undefined) {
    return 'starting';
  }
  const state = record.stopped === undefined ? 'in' : `stopped at ${record.stopped} in`;
  return `${record.image}: ${record.elements.join(' ')}  ${state} ${record.phase}`;
}

/**
 * The build that is called so, or the only one; of several the one that is stopped at a break point,
 * where there is exactly one such: somebody waits there. @throws Failed `usage`
 */
export function chooseBuild(builds: readonly KnownBuild[], wanted: string | undefined): KnownBuild {
  const named = wanted === undefined ? builds : builds.filter((build) => isCalled(build, wanted));
  const ours = named.filter((build) => build.ours);
  const stopped = ours.filter(({ record }) => record?.stopped !== undefined);
  const candidates = stopped.length === 1 ? stopped : ours.length > 0 ? ours : named;
  const [only, ...others] = candidates;
  if (only === undefined) {
    throw noBuild(builds, wanted);
  }
  if (!only.ours) {
    throw notOurs(candidates);
  }
  if (others.length > 0) {
    throw several(candidates, stopped.length);
  }
  return only;
}

function isCalled({ buildDir, record }: KnownBuild, wanted: string): boolean {
  const image = record === undefined ? [] : [record.image, path.basename(record.image)];
  return [buildDir, path.basename(buildDir), ...image].includes(wanted);
}

function several(builds: readonly KnownBuild[], stopped: number): Failed {
  const which = stopped === 0 ? 'none is' : `${stopped} are`;
  return usageError(
    'Cannot say which build to enter: there are several',
    [
      `Name one of them; ${which} stopped at a break point:`,
      ...builds.map((one) => `  dibkit enter ${path.basename(one.buildDir)}  ${stateOf(one)}`),
    ].join('\n'),
  );
}

function notOurs(builds: readonly KnownBuild[]): Failed {
  const [{ buildDir, uid } = { buildDir: '', uid: 0 }, ...others] = builds;
  return usageError(
    others.length === 0
      ? `Cannot enter ${buildDir}: it is a build of the user with the id ${uid}`
      : 'Cannot enter a build: those that run are of other users',
    [
      'Run this as the user whose build it is:',
      ...builds.map((one) => `  sudo -u '#${one.uid}' dibkit enter ${one.buildDir}`),
    ].join('\n'),
  );
}

function noBuild(builds: readonly KnownBuild[], wanted: string | undefined): Failed {
  if (builds.length === 0) {
    return usageError(
      'Cannot enter a build: none is running',
      'A build waits for you at a break point: break=after-error disk-image-create ...',
    );
  }
  const names = builds.flatMap(({ buildDir, record }) => [
    path.basename(buildDir),
    ...(record === undefined ? [] : [record.image]),
  ]);
  const near = closestNames(wanted ?? '', names);
  return usageError(
    `Cannot find a running build '${wanted}'`,
    [
      ...(near.length > 0 ? [`Did you mean ${near.join(' or ')}?`] : []),
      'These run:',
      ...builds.map((build) => `  ${describeBuild(build)}`),
    ].join('\n'),
  );
}
