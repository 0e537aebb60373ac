/** The commands as one file, compiled ahead. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Module } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { cacheOf } from '../../src/cli/load-program.ts';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const PROGRAM = path.join(ROOT, 'lib/program');

/** Everything that a command loads, in a root of its own. */
async function copyOfProgram(): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'program-'));
  for (const name of ['package.json', 'bin', 'lib/program']) {
    await cp(path.join(ROOT, name), path.join(root, name), { recursive: true });
  }
  return root;
}

function run(root: string, command: string, argument: string): string {
  const result = spawnSync(path.join(root, 'bin', command), [argument], { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

test('this Node takes the code that was compiled for it, of every bundle', async () => {
  const stems = (await readdir(PROGRAM)).filter((name) => name.endsWith('.cache'));
  assert.ok(stems.includes('engine.cache') && stems.includes('undici.cache'));
  for (const name of stems) {
    const file = path.join(PROGRAM, name.replace(/\.cache$/, '.cjs'));
    const source = await readFile(file, 'latin1');
    const cachedData = await readFile(cacheOf(file));
    const script = new Script(Module.wrap(source), { filename: file, cachedData });
    assert.equal(script.cachedDataRejected, false, name);
  }
});

test('what bundles have beyond ASCII is comments, so that they can be read as Latin-1', async () => {
  const names = (await readdir(PROGRAM)).filter((name) => name.endsWith('.cjs'));
  for (const name of names) {
    const lines = (await readFile(path.join(PROGRAM, name), 'latin1')).split('\n');
    const beyond = lines.filter((line) =>
      /[\x80-\xff]/.test(line.replace(/(\/\/|^ *\/?\*).*/, '')),
    );
    assert.deepEqual(beyond, [], name);
  }
});

test('a bundle imports nothing while it runs: what it runs in cannot', async () => {
  const names = (await readdir(PROGRAM)).filter((name) => name.endsWith('.cjs'));
  for (const name of names) {
    const source = await readFile(path.join(PROGRAM, name), 'latin1');
    // Not in strings and comments, which have spaces or quotes before it.
    assert.doesNotMatch(source, /(?:await|=>|return) import\(/, name);
  }
});

test('every command of bin/ runs from its files in lib/program alone', async () => {
  const root = await copyOfProgram();
  try {
    const commands = (await readdir(path.join(root, 'bin'))).filter((name) => !name.includes('.'));
    for (const command of commands) {
      assert.match(run(root, command, '--help'), new RegExp(`^Usage: ${command} `), command);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

test('a code cache that is not for this Node, or none, costs time and nothing else', async () => {
  const root = await copyOfProgram();
  try {
    const cache = path.join(root, 'lib/program/disk-image-create.cache');
    const help = run(root, 'disk-image-create', '--help');
    await writeFile(cache, 'compiled by another version');
    assert.equal(run(root, 'disk-image-create', '--help'), help);
    await rm(cache);
    assert.equal(run(root, 'disk-image-create', '--help'), help);
  } finally {
    await rm(root, { recursive: true });
  }
});
