import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOverwritten, planHookTree } from '../../../src/elements/hook-tree.ts';
import type { ElementListing } from '../../../src/elements/listing.ts';
import { Failed } from '../../../src/events/failure.ts';

/** Paths that end in `/` are directories; parents are added. */
function listing(name: string, ...paths: string[]): ElementListing {
  const files = paths.filter((path) => !path.endsWith('/'));
  const directories = new Set(
    paths.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1)),
  );
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (const index of parts.keys()) {
      directories.add(parts.slice(0, index + 1).join('/'));
    }
  }
  return {
    name,
    directories: [...directories].sort().map((path) => ({ path, mode: 0o755 })),
    files: files.map((path) => ({ path, source: `/e/${name}/${path}`, isLink: false })),
  };
}

function messageFrom(listings: readonly ElementListing[]): string {
  try {
    planHookTree(listings);
  } catch (error) {
    assert.ok(error instanceof Failed && error.failure.kind === 'config', String(error));
    return error.message;
  }
  throw new Error('planned');
}

test('planHookTree() merges directories and knows where each file is from', () => {
  const tree = planHookTree([
    listing('a', 'install.d/10-a', 'static/etc/a'),
    listing('b', 'install.d/10-b', 'static/etc/b', 'empty/'),
  ]);
  assert.deepEqual(tree.elements, ['a', 'b']);
  assert.deepEqual(
    tree.directories.map(({ path }) => path),
    ['empty', 'install.d', 'static', 'static/etc'],
  );
  assert.deepEqual(
    tree.files.map(({ path, element }) => `${element}:${path}`),
    ['a:install.d/10-a', 'b:install.d/10-b', 'a:static/etc/a', 'b:static/etc/b'],
  );
  assert.equal(tree.elementOf('install.d', '10-b'), 'b');
  assert.equal(tree.sourceOf('install.d', '10-b'), '/e/b/install.d/10-b');
  assert.equal(tree.elementOf('static', 'etc'), undefined);
  assert.equal(tree.sourceOf('install.d', '10-c'), undefined);
});

test('planHookTree() lets the last element win for files directly in elements, and says so', () => {
  const tree = planHookTree([listing('a', 'data.json'), listing('b', 'data.json')]);
  assert.equal(tree.files.map(({ source }) => source).join(), '/e/b/data.json');
  assert.deepEqual(tree.overwritten, [{ file: 'data.json', winner: 'b', loser: 'a' }]);
  assert.equal(
    tree.overwritten.map(describeOverwritten).join(),
    "The file 'data.json' of the element 'b' hides the one of 'a'",
  );
});

test('planHookTree() does not warn of files that are read from each element', () => {
  const names = [
    'element-deps',
    'README.rst',
    'package-installs.yaml',
    'pkg-map',
    'host-tools.yaml',
    'svc-map',
    '.gitignore',
  ];
  assert.deepEqual(planHookTree([listing('a', ...names), listing('b', ...names)]).overwritten, []);
});

const CLASHES: readonly (readonly [claim: string, a: string, b: string, message: string])[] = [
  [
    'a hook',
    'install.d/10-x',
    'install.d/10-x',
    "Cannot use the hook 'install.d/10-x' twice: it is in 'a' and in 'b'",
  ],
  ['a program', 'bin/x', 'bin/x', "Cannot use the file 'bin/x' twice: it is in 'a' and in 'b'"],
  [
    'a file in a merged subdirectory',
    'static/etc/x',
    'static/etc/x',
    "Cannot use the file 'static/etc/x' twice: it is in 'a' and in 'b'",
  ],
  [
    'a file and then a directory',
    'static/x',
    'static/x/',
    "Cannot use the file 'static/x' twice: it is in 'a' and in 'b'",
  ],
  [
    'a directory and then a file',
    'static/x/',
    'static/x',
    "Cannot use the file 'static/x' twice: it is in 'a' and in 'b'",
  ],
  [
    'a directory and a file at the top',
    'x/',
    'x',
    "Cannot use the file 'x' twice: it is in 'a' and in 'b'",
  ],
];

for (const [claim, a, b, message] of CLASHES) {
  test(`planHookTree() refuses ${claim} in two elements and names both`, () => {
    assert.equal(messageFrom([listing('a', a), listing('b', b)]), message);
  });
}

test('planHookTree() reports all clashes together', () => {
  const message = messageFrom([
    listing('a', 'install.d/10-x', 'bin/x'),
    listing('b', 'install.d/10-x'),
    listing('c', 'bin/x'),
  ]);
  assert.deepEqual(message.split('\n').slice(0, 3), [
    'Cannot put the hooks of these elements together: 2 problems',
    "- Cannot use the hook 'install.d/10-x' twice: it is in 'a' and in 'b'",
    "- Cannot use the file 'bin/x' twice: it is in 'a' and in 'c'",
  ]);
});
