import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { describeOverride, openCatalogue } from '../../../src/elements/catalogue.ts';
import { parseElementsPath } from '../../../src/elements/element.ts';
import { Failed } from '../../../src/events/failure.ts';

let root = '';
const at = (name: string): string => path.join(root, name);

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'catalogue-'));
  for (const directory of ['mine/base', 'mine/app', 'builtin/base', 'builtin/os', 'store/v2-app']) {
    await mkdir(at(directory), { recursive: true });
  }
  await writeFile(at('mine/README'), 'no element\n');
  await writeFile(at('mine/app/element-deps'), '# needs\nbase\n\n os \n');
  await writeFile(at('builtin/os/element-provides'), 'operating-system');
  await symlink('../store/v2-app', at('mine/linked'));
  await symlink('nowhere', at('mine/dangling'));
});

after(() => rm(root, { recursive: true, force: true }));

async function failureFrom(elementsPath: readonly string[]): Promise<Failed['failure']> {
  const error: unknown = await openCatalogue(elementsPath).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Failed, String(error));
  return error.failure;
}

test('openCatalogue() reads every directory of the path as an element', async () => {
  const { elements } = await openCatalogue([at('mine'), at('builtin')]);
  assert.deepEqual([...elements.keys()].sort(), ['app', 'base', 'linked', 'os', 'v2-app']);
  assert.deepEqual(elements.get('app'), {
    name: 'app',
    path: at('mine/app'),
    deps: ['base', 'os'],
    provides: [],
  });
  assert.deepEqual(elements.get('os')?.provides, ['operating-system']);
});

test('openCatalogue() lets earlier entries win and records the override', async () => {
  const { elements, overrides } = await openCatalogue([at('mine'), at('builtin')]);
  assert.equal(elements.get('base')?.path, at('mine/base'));
  assert.deepEqual(overrides, [
    { name: 'base', winner: at('mine/base'), loser: at('builtin/base') },
  ]);
  assert.equal(
    overrides.map(describeOverride).join(),
    `Element 'base': '${at('mine/base')}' overrides '${at('builtin/base')}'`,
  );
});

test('openCatalogue() finds a linked element under both of its names', async () => {
  const { elements } = await openCatalogue([at('mine')]);
  assert.equal(elements.get('linked')?.path, at('store/v2-app'));
  assert.equal(elements.get('v2-app')?.path, at('store/v2-app'));
});

test('openCatalogue() takes one directory that is reached twice for no override', async () => {
  const { overrides } = await openCatalogue([at('mine'), at('store'), at('mine')]);
  assert.deepEqual(overrides, []);
});

test('openCatalogue() refuses every entry that is no directory', async () => {
  const failure = await failureFrom([at('mine'), '', at('nowhere'), at('mine/README')]);
  assert.equal(failure.kind, 'config');
  assert.deepEqual(failure.message.split('\n'), [
    'Cannot use ELEMENTS_PATH: 3 problems',
    "- Cannot use the empty entry '' of ELEMENTS_PATH",
    `- Cannot use the entry '${at('nowhere')}' of ELEMENTS_PATH: no such directory`,
    `- Cannot use the entry '${at('mine/README')}' of ELEMENTS_PATH: not a directory`,
  ]);
  assert.match(failure.hint ?? '', /^Mend ELEMENTS_PATH/);
});

test('openCatalogue() names a file of names that it cannot read', async () => {
  await mkdir(at('bad/odd/element-deps'), { recursive: true });
  const failure = await failureFrom([at('bad')]);
  assert.equal(failure.kind, 'config');
  assert.match(failure.message, /bad\/odd\/element-deps': EISDIR$/);
});

const PATHS: readonly (readonly [value: string | undefined, expected: readonly string[]])[] = [
  [undefined, ['/builtin']],
  ['', ['/builtin']],
  ['a', ['a', '/builtin']],
  ['a:/b', ['a', '/b', '/builtin']],
  ['a:', ['a', '', '/builtin']],
  ['/builtin:a', ['/builtin', 'a']],
];

for (const [value, expected] of PATHS) {
  test(`parseElementsPath() makes ${expected} of ${value}`, () => {
    assert.deepEqual(parseElementsPath(value, '/builtin'), expected);
  });
}
