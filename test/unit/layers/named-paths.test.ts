import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NamedPath, pathsIn } from '../../../src/layers/named-paths.ts';

const THERE: Readonly<Record<string, NamedPath['kind']>> = {
  conf: 'file',
  'a list': 'file',
  'files/a': 'file',
  'files/b': 'file',
  '/etc/c': 'file',
  vim: 'file',
  root: 'directory',
  files: 'directory',
  './files': 'directory',
  '/h': 'directory',
  '/h/.cache': 'directory',
  '42': 'file',
};

const ROWS: readonly (readonly [string, string, readonly string[]])[] = [
  ['DIB_X', '/etc/c', ['/etc/c']],
  ['DIB_X', 'conf', ['conf']],
  ['DIB_X', 'a list', ['a list']],
  ['DIB_X', 'file://files/a', ['files/a']],
  ['DIB_X', 'file:///etc/c', ['/etc/c']],
  ['DIB_X', 'files/a  files/b', ['files/a', 'files/b']],
  ['DIB_X', 'files/a:/etc/c', ['files/a', '/etc/c']],
  ['DIB_X', '--conf files/a none', ['files/a']],
  ['DIB_X', 'files', ['files']],
  ['DIB_X', './files conf', ['./files', 'conf']],
  ['DIB_X', 'a b\nfiles/b vim\n', ['files/b']],
  // Lists of packages and configurations are no directories.
  ['DIB_X', 'curl root', []],
  ['DIB_X', '- name: root\n  vim: 1', []],
  ['DIB_X', '42', []],
  ['DIB_X', 'http://etc/c', []],
  ['DIB_X', 'none', []],
  ['DIB_X', '', []],
  ['http_proxy', 'http://conf:42', []],
  // Where programs look and keep things, and what describes the command line.
  ['PATH', '/h:/etc/c', []],
  ['HOME', '/h', []],
  ['PWD', '/h', []],
  ['XDG_CONFIG_HOME', '/h', []],
  ['PIP_CACHE_DIR', '/h/.cache', []],
  ['CARGO_HOME', '/h', []],
  ['BUILD_LOG_FILE', '/etc/c', []],
  ['DIB_CATALOGUE', '/etc/c', ['/etc/c']],
  ['ELEMENTS_PATH', 'files', []],
  ['DIB_RELEASE', 'root', []],
  ['DIBKIT_PACKAGES', 'vim root', []],
  ['DIB_ARGS', 'vim', []],
  ['WORKSPACE', '/h', ['/h']],
];
for (const [name, value, expected] of ROWS) {
  test(`pathsIn() of ${name}=${JSON.stringify(value)}`, () => {
    const found = pathsIn(name, value, (path) => THERE[path]);
    assert.deepEqual(
      found.map(({ path }) => path),
      expected,
    );
  });
}
