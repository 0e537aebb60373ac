import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assembleHooks, readHookTree } from '../../../src/elements/assemble.ts';
import { findHookProblems } from '../../../src/elements/hook-problems.ts';
import { Failed } from '../../../src/events/failure.ts';

let root = '';
let count = 0;

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'assemble-'));
});

after(() => rm(root, { recursive: true, force: true }));

type Content = { readonly text: string; readonly mode: number } | { readonly link: string };

/** Makes an element; files given as text are not executable. */
async function element(
  name: string,
  files: Readonly<Record<string, string | Content>>,
): Promise<{ name: string; path: string }> {
  const directory = path.join(root, `${++count}`, name);
  await mkdir(directory, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    const target = path.join(directory, file);
    await mkdir(path.dirname(target), { recursive: true });
    if (typeof content === 'object' && 'link' in content) {
      await symlink(content.link, target);
    } else {
      await writeFile(target, typeof content === 'string' ? content : content.text);
      await chmod(target, typeof content === 'string' ? 0o644 : content.mode);
    }
  }
  return { name, path: directory };
}

async function assembled(elements: readonly { name: string; path: string }[]): Promise<string> {
  const hooks = path.join(root, `${++count}`, 'hooks');
  await assembleHooks(await readHookTree(elements), hooks);
  return hooks;
}

async function listAll(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true });
  return entries.sort();
}

test('assembleHooks() copies content, modes and links', async () => {
  const app = await element('app', {
    'install.d/10-run': { text: '#!/bin/sh\n', mode: 0o750 },
    'static/etc/deep/secret': { text: 'x', mode: 0o600 },
    'bin/alias': { link: '../install.d/10-run' },
    'bin/dangling': { link: 'nowhere' },
    'top-link': { link: 'install.d/10-run' },
    'data.json': '{}',
  });
  await chmod(path.join(app.path, 'static/etc'), 0o2500);
  const hooks = await assembled([app]);
  assert.equal(await readFile(path.join(hooks, 'install.d/10-run'), 'utf8'), '#!/bin/sh\n');
  const modeOf = async (file: string): Promise<number> =>
    (await lstat(path.join(hooks, file))).mode & 0o7777;
  assert.equal(await modeOf('install.d/10-run'), 0o750);
  assert.equal(await modeOf('static/etc/deep/secret'), 0o600);
  assert.equal(await modeOf('static/etc'), 0o2500);
  assert.equal(await readlink(path.join(hooks, 'bin/alias')), '../install.d/10-run');
  assert.equal(await readlink(path.join(hooks, 'bin/dangling')), 'nowhere');
  assert.equal(await readlink(path.join(hooks, 'top-link')), 'install.d/10-run');
});

test('assembleHooks() merges the directories of several elements', async () => {
  const hooks = await assembled([
    await element('a', { 'install.d/10-a': '', 'static/etc/a': '' }),
    await element('b', { 'install.d/10-b': '', 'static/etc/b': '' }),
  ]);
  assert.deepEqual(await listAll(hooks), [
    'install.d',
    'install.d/10-a',
    'install.d/10-b',
    'static',
    'static/etc',
    'static/etc/a',
    'static/etc/b',
  ]);
});

test('assembleHooks() leaves out tests, compiled Python, and hidden files in directories', async () => {
  const hooks = await assembled([
    await element('a', {
      'tests/test_it.py': '',
      '__pycache__/x': '',
      'bin/__pycache__/x': '',
      'x.pyc': '',
      'bin/.gitkeep': '',
      'static/tests/kept': '',
      'static/home/.kept': '',
      dangling: { link: 'nowhere' },
    }),
  ]);
  assert.deepEqual(await listAll(hooks), [
    'bin',
    'static',
    'static/home',
    'static/home/.kept',
    'static/tests',
    'static/tests/kept',
  ]);
});

test('assembleHooks() follows a link to a directory directly in an element', async () => {
  const hooks = await assembled([
    await element('a', {
      'real/10-x': '',
      'real/inner/y': '',
      'install.d': { link: 'real' },
      'bin/link': { link: '../real' },
    }),
  ]);
  assert.ok((await lstat(path.join(hooks, 'install.d'))).isDirectory());
  assert.ok((await lstat(path.join(hooks, 'install.d/inner/y'))).isFile());
  assert.ok((await lstat(path.join(hooks, 'bin/link'))).isSymbolicLink());
});

const RULES = { directories: ['install.d', 'root.d'], ignoreNonExecutable: false };
const HOOKS = {
  'install.d/10-forgotten': '#!/bin/sh\n',
  'root.d/20-also': '#!/bin/sh\n',
  'install.d/30-good': { text: '#!/bin/sh\n', mode: 0o755 },
  'install.d/40-script.sh': { text: '#!/bin/sh\n', mode: 0o755 },
  'install.d/data': 'no script',
  'install.d/50-dir/inner': '#!/bin/sh\n',
  'install.d/60-dangling': { link: 'nowhere' },
  'install.d/70-link': { link: '30-good' },
  'install.d/80-bad-link': { link: 'data' },
  'environment.d/10-env': '#!/bin/sh\n',
  'bin/tool': '#!/bin/sh\n',
};

test('findHookProblems() refuses every script that is not executable, by element and file', async () => {
  const app = await element('app', HOOKS);
  const tree = await readHookTree([app]);
  const error: unknown = await findHookProblems(tree, RULES).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Failed && error.failure.kind === 'config', String(error));
  assert.deepEqual(error.message.split('\n'), [
    'Cannot run all hooks: 2 problems',
    "- Cannot run the hook 'install.d/10-forgotten' of the element 'app': it is not executable",
    `  Run: chmod +x '${app.path}/install.d/10-forgotten' (or set DIB_IGNORE_NON_EXECUTABLE_HOOKS=1 to leave it out)`,
    "- Cannot run the hook 'root.d/20-also' of the element 'app': it is not executable",
    `  Run: chmod +x '${app.path}/root.d/20-also' (or set DIB_IGNORE_NON_EXECUTABLE_HOOKS=1 to leave it out)`,
  ]);
});

test('findHookProblems() returns what is not run when told to ignore', async () => {
  const tree = await readHookTree([await element('app', HOOKS)]);
  const ignored = await findHookProblems(tree, { ...RULES, ignoreNonExecutable: true });
  assert.deepEqual(
    ignored.map(({ dir, name, reason }) => [`${dir}/${name}`, reason]),
    [
      ['install.d/10-forgotten', 'not-executable'],
      ['install.d/40-script.sh', 'name'],
      ['install.d/80-bad-link', 'not-executable'],
      ['install.d/data', 'not-executable'],
      ['root.d/20-also', 'not-executable'],
    ],
  );
});

test('readHookTree() refuses what cannot be copied and names it', async () => {
  const odd = await element('odd', { 'static/x': '' });
  execFileSync('mkfifo', [path.join(odd.path, 'static/fifo')]);
  await assert.rejects(readHookTree([odd]), /static\/fifo': it is neither a file/);
});

test('an element that is gone when its files are to be read, or copied, is named', async () => {
  const gone = { name: 'gone', path: path.join(root, 'never-there') };
  await assert.rejects(readHookTree([gone]), (error: unknown) => {
    assert.ok(error instanceof Failed && error.failure.kind === 'config');
    assert.match(
      error.failure.message,
      /^Cannot read '.*never-there' of the element 'gone': ENOENT$/,
    );
    assert.match(error.failure.hint ?? '', /do not change elements while a build starts/);
    return true;
  });

  const element = path.join(root, 'vanishing');
  await mkdir(path.join(element, 'install.d'), { recursive: true });
  await writeFile(path.join(element, 'install.d/10-x'), '');
  const tree = await readHookTree([{ name: 'vanishing', path: element }]);
  await rm(element, { recursive: true });
  await assert.rejects(
    assembleHooks(tree, path.join(root, 'hooks-of-vanishing')),
    (error: unknown) => {
      assert.ok(error instanceof Failed && error.failure.kind === 'config');
      assert.match(
        error.failure.message,
        /^Cannot copy '.*vanishing\/install\.d\/10-x' of the element 'vanishing': ENOENT$/,
      );
      assert.match(error.failure.hint ?? '', /do not change elements while a build starts/);
      return true;
    },
  );
});
