import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../../../src/events/event.ts';
import { PipeAhead } from '../../../src/sandbox/pipe.ts';

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: { PATH: process.env.PATH ?? '' },
};

/** A directory for pipes, until disposed of. */
async function ownDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'pipe-'));
  return { path: directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

/** How many of our descriptors are pipes that were made there. */
async function openIn(directory: string): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  );
  return (await Promise.all(links)).filter((link) => link.startsWith(directory)).length;
}

test('PipeAhead gives what it has opened, then others, and leaves no name behind', async () => {
  await using own = await ownDirectory();
  await using pipes = new PipeAhead(context, own.path);
  pipes.prepare();
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
  assert.deepEqual(await readdir(own.path), []);
});

test('PipeAhead closes what nobody has taken', async () => {
  await using own = await ownDirectory();
  const pipes = new PipeAhead(context, own.path);
  pipes.prepare();
  await pipes[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(own.path), []);
  // The reading end is closed by the event loop.
  for (let turn = 0; turn < 1000 && (await openIn(own.path)) > 0; turn += 1) {
    await setImmediate();
  }
  assert.equal(await openIn(own.path), 0);
});

test('PipeAhead says only to whoever takes it that there is none', async () => {
  await using own = await ownDirectory();
  await using pipes = new PipeAhead(context, path.join(own.path, 'missing'));
  pipes.prepare();
  await sleep(20);
  await assert.rejects(pipes.take(), { code: 'ENOENT' });
});
