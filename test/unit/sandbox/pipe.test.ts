import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Context } from '../../../src/events/event.ts';
import { PipeAhead } from '../../../src/sandbox/pipe.ts';

let directory: string;

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: { PATH: process.env.PATH ?? '' },
};

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'pipe-'));
});

afterEach(() => rm(directory, { recursive: true }));

/** How many of our descriptors are pipes that were made there. */
async function openThere(): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  );
  return (await Promise.all(links)).filter((link) => link.startsWith(directory)).length;
}

test('PipeAhead gives what it has opened, then others, and leaves no name behind', async () => {
  await using pipes = new PipeAhead(context, directory);
  const [first, second] = [await pipes.take(), await pipes.take()];
  assert.notEqual(first.fd, second.fd);
  for (const [word, pipe] of [
    ['one', first],
    ['two', second],
  ] as const) {
    writeSync(pipe.fd, word);
    pipe.closeWriter();
    assert.equal(String((await pipe.output.toArray()).join('')), word);
  }
  assert.deepEqual(await readdir(directory), []);
});

test('PipeAhead closes what nobody has taken', async () => {
  const pipes = new PipeAhead(context, directory);
  await pipes[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(directory), []);
  while ((await openThere()) > 0) {
    // The reading end is closed by the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('PipeAhead says only to whoever takes it that there is none', async () => {
  await using pipes = new PipeAhead(context, path.join(directory, 'missing'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await assert.rejects(pipes.take(), { code: 'ENOENT' });
});
