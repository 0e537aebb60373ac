import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { chooseBuild, type KnownBuild } from '../../../src/phases/choose-build.ts';

/** A build that runs, is stopped, has not begun a phase, or is somebody else's. */
function build(name: string, state: 'runs' | 'stopped' | 'starting' | 'foreign'): KnownBuild {
  const known = { pid: 1, uid: 7, buildDir: `/tmp/dib_build.${name}`, ours: state !== 'foreign' };
  if (state === 'foreign' || state === 'starting') {
    return { ...known, record: undefined };
  }
  const record = {
    v: 1,
    image: `/images/${name}`,
    elements: ['vm', 'mine'],
    phase: 'install',
    where: 'target',
    since: 0,
    targetRoot: '/mnt',
    hooksDir: '/tmp/in_target.d',
    env: {},
    cwd: '/',
  } as const;
  return {
    ...known,
    record: { ...record, ...(state === 'stopped' ? { stopped: 'after-error' } : {}) },
  };
}

const CHOSEN: readonly (readonly [
  builds: readonly KnownBuild[],
  wanted: string | undefined,
  name: string,
])[] = [
  [[build('a', 'runs')], undefined, 'a'],
  [[build('a', 'runs'), build('b', 'stopped'), build('c', 'starting')], undefined, 'b'],
  [[build('a', 'runs'), build('b', 'stopped')], 'a', 'a'],
  [[build('a', 'runs'), build('b', 'foreign')], undefined, 'a'],
  [[build('a', 'stopped'), build('b', 'stopped')], 'dib_build.b', 'b'],
  [[build('a', 'stopped'), build('b', 'stopped')], '/tmp/dib_build.a', 'a'],
];
for (const [builds, wanted, name] of CHOSEN) {
  test(`chooseBuild() of ${builds.length}, ${wanted ?? 'none named'}, is ${name}`, () => {
    assert.equal(chooseBuild(builds, wanted).buildDir, `/tmp/dib_build.${name}`);
  });
}

const REFUSED: readonly (readonly [
  builds: readonly KnownBuild[],
  wanted: string | undefined,
  says: RegExp,
])[] = [
  [[], undefined, /none is running\n.*break=after-error/],
  [
    [build('a', 'runs'), build('b', 'starting')],
    undefined,
    /several\nName one of them; none is stopped at a break point:\n {2}dibkit enter dib_build\.a {2}\/images\/a: vm mine {2}in install\n {2}dibkit enter dib_build\.b {2}starting$/,
  ],
  [
    [build('a', 'stopped'), build('b', 'stopped'), build('c', 'runs')],
    undefined,
    /several\nName one of them; 2 are stopped at a break point:\n[\s\S]*\n {2}dibkit enter dib_build\.b {2}\/images\/b: vm mine {2}stopped at after-error in install\n/,
  ],
  [
    [build('a', 'foreign')],
    undefined,
    /dib_build\.a: it is a build of the user with the id 7\n[\s\S]*sudo -u '#7' dibkit enter \/tmp\/dib_build\.a$/,
  ],
  [
    [build('a', 'foreign'), build('b', 'foreign')],
    undefined,
    /are of other users\n(.*\n){2}.*'#7' dibkit enter \/tmp\/dib_build\.b$/,
  ],
  [
    [build('web', 'runs')],
    'wed',
    /Cannot find a running build 'wed'\n[\s\S]*These run:\n.*dib_build\.web/,
  ],
];
for (const [builds, wanted, says] of REFUSED) {
  test(`chooseBuild() of ${builds.length}, ${wanted ?? 'none named'}, says ${says}`, () => {
    assert.throws(
      () => chooseBuild(builds, wanted),
      (error) => {
        assert.ok(error instanceof Failed && error.failure.kind === 'usage');
        assert.match(`${error.failure.message}\n${error.failure.hint}`, says);
        return true;
      },
    );
  });
}
