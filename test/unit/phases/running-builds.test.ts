import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineBuildDir, statusField } from '../../../src/phases/running-builds.ts';

const COMMAND_LINES: readonly (readonly [
  words: readonly string[],
  buildDir: string | undefined,
])[] = [
  [
    ['/usr/bin/node', '/opt/dibkit/lib/program/start-engine.cjs', '/tmp/dib_build.x'],
    '/tmp/dib_build.x',
  ],
  [['node', '/opt/dibkit/lib/program/start-engine.cjs', '/tmp/b', '/tmp/i', '/out/s'], '/tmp/b'],
  [['node', '/opt/dibkit/lib/program/start-engine.cjs'], undefined],
  [['node', '/opt/dibkit/lib/program/start-engine.cjs', 'relative'], undefined],
  // What starts the engine has the same words further on.
  [
    ['sh', '-c', '"$@"', 'sh', 'node', '/opt/lib/program/start-engine.cjs', '/tmp/dib_build.x'],
    undefined,
  ],
  [['vi', '/opt/dibkit/lib/program/start-engine.cjs.txt', '/tmp/x'], undefined],
  [[], undefined],
];

for (const [words, buildDir] of COMMAND_LINES) {
  test(`engineBuildDir() of '${words.join(' ')}' is ${buildDir}`, () => {
    assert.equal(engineBuildDir(words.map((word) => `${word}\0`).join('')), buildDir);
  });
}

test('statusField() reads the numbers of one line', () => {
  const status = 'Name:\tnode\nUid:\t0\t1000\t0\t0\nNSpid:\t4242\t17\n';
  assert.deepEqual(statusField(status, 'Uid'), [0, 1000, 0, 0]);
  assert.equal(statusField(status, 'NSpid').at(-1), 17);
  assert.deepEqual(statusField(status, 'PPid'), []);
});
