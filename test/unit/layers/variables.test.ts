import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classOf, countedVariables, withoutRunPaths } from '../../../src/layers/variables.ts';

const ROWS: readonly (readonly [string, ReturnType<typeof classOf>])[] = [
  ['LANG', 'always'],
  ['http_proxy', 'always'],
  ['DIB_RELEASE', 'always'],
  ['HOME', 'always'],
  ['DIB_ARGS', 'named'],
  ['IMAGE_NAME', 'named'],
  ['GITHUB_RUN_ID', 'named'],
  ['SSH_AUTH_SOCK', 'named'],
  ['DIB_ROOT_UUID', 'named'],
  ['DIB_RAMDISK_MODULES', 'named'],
  ['SHLVL', 'never'],
  ['TMP_BUILD_DIR', 'never'],
  ['DIB_FAILURE_FILE', 'never'],
  ['DIB_DEBUG_TRACE', 'never'],
  ['break', 'never'],
];
for (const [name, expected] of ROWS) {
  test(`classOf() is ${expected} for ${name}`, () => {
    assert.equal(classOf(name), expected);
  });
}

test('countedVariables() takes what counts, sorted, without the paths of the run', () => {
  const environment = {
    PATH: '/tmp/x/hooks/host-bin:/bin',
    IMAGE_NAME: 'web',
    DIB_ARGS: 'vm',
    A: '1',
  };
  const counted = countedVariables(
    environment,
    new Map([['/tmp/x', '{build}']]),
    (name) => name === 'IMAGE_NAME',
  );
  assert.deepEqual(Object.entries(counted), [
    ['A', '1'],
    ['IMAGE_NAME', 'web'],
    ['PATH', '{build}/hooks/host-bin:/bin'],
  ]);
});

test('withoutRunPaths() replaces the longest path first', () => {
  const paths = new Map([
    ['/c', '{cache}'],
    ['/c/build', '{build}'],
  ]);
  assert.equal(withoutRunPaths('/c/build/hooks:/c/apt', paths), '{build}/hooks:{cache}/apt');
});
