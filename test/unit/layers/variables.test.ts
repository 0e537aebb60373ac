import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classOf, countedVariables, withoutRunPaths } from '../../../src/layers/variables.ts';

const ROWS: readonly (readonly [string, ReturnType<typeof classOf>])[] = [
  ['LANG', 'always'],
  ['http_proxy', 'always'],
  ['DIB_RELEASE', 'always'],
  ['HOME', 'named'],
  ['SHELL', 'named'],
  ['DIB_ARGS', 'named'],
  ['IMAGE_NAME', 'named'],
  ['GITHUB_RUN_ID', 'named'],
  ['SSH_AUTH_SOCK', 'named'],
  ['DIB_ROOT_UUID', 'named'],
  ['DIB_RAMDISK_MODULES', 'named'],
  ['HOSTNAME', 'named'],
  ['BUILD_NUMBER', 'named'],
  ['JOB_NAME', 'named'],
  ['WORKSPACE', 'named'],
  ['EXECUTOR_NUMBER', 'named'],
  ['NODE_NAME', 'named'],
  ['BUILDKITE_BUILD_ID', 'named'],
  ['CIRCLE_SHA1', 'named'],
  ['KUBERNETES_SERVICE_HOST', 'named'],
  ['REDIS_SERVICE_PORT_TCP', 'named'],
  ['REDIS_PORT', 'named'],
  ['REDIS_PORT_6379_TCP_ADDR', 'named'],
  ['GNOME_TERMINAL_SCREEN', 'named'],
  ['TERM_SESSION_ID', 'named'],
  ['KONSOLE_DBUS_SESSION', 'named'],
  ['GPG_TTY', 'named'],
  ['STY', 'named'],
  ['SESSION_MANAGER', 'named'],
  ['XAUTHORITY', 'named'],
  ['MEMORY_PRESSURE_WATCH', 'named'],
  ['MAKEFLAGS', 'named'],
  ['MAKELEVEL', 'named'],
  ['MFLAGS', 'named'],
  ['AWS_SESSION_TOKEN', 'named'],
  ['VAULT_TOKEN', 'named'],
  ['OS_TOKEN', 'named'],
  ['INIT_CWD', 'named'],
  ['npm_package_version', 'named'],
  ['npm_lifecycle_event', 'named'],
  ['npm_config_user_agent', 'named'],
  ['npm_config_local_prefix', 'named'],
  ['npm_config_omit', 'always'],
  ['npm_config_registry', 'always'],
  ['NODE_ENV', 'always'],
  ['DOCKER_DEFAULT_PLATFORM', 'always'],
  ['DOCKER_HOST', 'always'],
  ['SYSTEMD_OFFLINE', 'always'],
  ['XDG_CONFIG_HOME', 'always'],
  ['XDG_RUNTIME_DIR', 'named'],
  ['RUN_PARTS_REGEX', 'always'],
  ['SUPPORT', 'always'],
  ['TOKENIZERS_PARALLELISM', 'always'],
  ['DIB_LOCK_WAIT', 'never'],
  ['DIB_FETCH_TIMEOUT', 'never'],
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
    PATH: '/tmp/x/hooks/host-bin:/project/node_modules/.bin:/npm/lib/node-gyp-bin:/bin',
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

test('countedVariables() has the elements where hooks go through them', () => {
  const counted = (word: string): readonly string[] =>
    Object.keys(countedVariables({ IMAGE_ELEMENT: 'a b' }, new Map(), (name) => name === word));
  assert.deepEqual(counted('get_image_element_array'), ['IMAGE_ELEMENT']);
  assert.deepEqual(counted('static'), []);
});
