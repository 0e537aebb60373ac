import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { directoryState } from '../../../src/phases/input-digests.ts';

const COMMIT = '1'.repeat(40);

const SAME: readonly (readonly [string, (at: (name: string) => string) => Promise<unknown>])[] = [
  ['the index of Git', (at) => writeFile(at('.git/index'), 'two')],
  ['another branch of Git', (at) => writeFile(at('.git/refs/heads/other'), 'x\n')],
  [
    'a branch that Git has packed',
    async (at) => {
      await writeFile(at('.git/packed-refs'), `# pack-refs\n${COMMIT} refs/heads/main\n`);
      await rm(at('.git/refs/heads/main'));
    },
  ],
  ['what Python has compiled', (at) => mkdir(at('deep/__pycache__'))],
  ['what is left out', (at) => writeFile(at('deep/out.tar'), 'x')],
];
const OTHERS: typeof SAME = [
  ['a content', (at) => writeFile(at('deep/file'), 'two')],
  ['a mode', (at) => chmod(at('deep/file'), 0o755)],
  ['an empty directory', (at) => mkdir(at('deep/empty'))],
  ['a link', (at) => symlink('file', at('deep/link'))],
  ['a commit', (at) => writeFile(at('.git/refs/heads/main'), `${'2'.repeat(40)}\n`)],
  ['another branch', (at) => writeFile(at('.git/HEAD'), `${'3'.repeat(40)}\n`)],
];

async function openTree(): Promise<AsyncDisposable & { at(name: string): string }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'dibkit-input-'));
  const at = (name: string): string => path.join(dir, name);
  await mkdir(at('deep'));
  await mkdir(at('.git/refs/heads'), { recursive: true });
  await writeFile(at('deep/file'), 'one');
  await writeFile(at('.git/HEAD'), 'ref: refs/heads/main\n');
  await writeFile(at('.git/refs/heads/main'), `${COMMIT}\n`);
  return { at, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

for (const [rows, isSame] of [
  [SAME, true],
  [OTHERS, false],
] as const) {
  for (const [what, edit] of rows) {
    test(`directoryState() is ${isSame ? 'the same' : 'another one'} after ${what}`, async () => {
      await using tree = await openTree();
      const state = (): string =>
        directoryState(tree.at(''), (file) => path.basename(file) === 'out.tar');
      const before = state();
      assert.equal(state(), before);
      await edit(tree.at);
      assert.equal(state() === before, isSame);
    });
  }
}

test('directoryState() takes sizes and times of a directory with very much in it', async () => {
  await using tree = await openTree();
  for (let index = 0; index < 1100; index += 1) {
    await writeFile(tree.at(`file-${index}`), 'x');
  }
  const before = directoryState(tree.at(''), () => false);
  await writeFile(tree.at('deep/file'), 'below the first');
  assert.equal(
    directoryState(tree.at(''), () => false),
    before,
  );
  await writeFile(tree.at('file-1'), 'xx');
  assert.notEqual(
    directoryState(tree.at(''), () => false),
    before,
  );
});
