import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { failedBuild, rememberFailure } from '../../../src/layers/resume.ts';
import { LayerStore } from '../../../src/layers/store.ts';

test('failedBuild() has the layers that are still there, until the image has been built', async () => {
  const cache = await mkdtemp(path.join(os.tmpdir(), 'dibkit-resume-'));
  try {
    const store = new LayerStore(cache);
    const which = { image: '/out/it', elements: ['a', 'b'] };
    await mkdir(store.pathOf('one'), { recursive: true });
    await rememberFailure(store, which, { keys: ['one', 'gone'], phase: 'install' });
    assert.deepEqual(await failedBuild(store, which), { keys: ['one'], phase: 'install' });
    assert.equal(await failedBuild(store, { ...which, elements: ['a'] }), undefined);
    assert.equal(await failedBuild(store, { ...which, image: '/out/other' }), undefined);
    await mkdir(store.pathOf('two'));
    await rememberFailure(store, which, { keys: ['one', 'two'], phase: 'finalise' });
    await rememberFailure(store, which, { keys: ['one'], phase: 'install' });
    assert.deepEqual(await failedBuild(store, which), { keys: ['one', 'two'], phase: 'install' });
    await mkdir(store.pathOf('other'));
    await rememberFailure(store, which, { keys: ['other'], phase: 'root' });
    assert.deepEqual(await failedBuild(store, which), { keys: ['other'], phase: 'root' });
    const [name = ''] = await readdir(path.join(store.directory, '.resume'));
    await writeFile(path.join(store.directory, '.resume', name), '{"keys":["on');
    assert.equal(await failedBuild(store, which), undefined);
    await rememberFailure(store, which, undefined);
    assert.equal(await failedBuild(store, which), undefined);
    // Where it cannot be put, nothing is left beside.
    await mkdir(path.join(store.directory, '.resume', name));
    await assert.rejects(rememberFailure(store, which, { keys: ['one'], phase: 'root' }));
    assert.deepEqual(await readdir(path.join(store.directory, '.resume')), [name]);
  } finally {
    await rm(cache, { recursive: true });
  }
});
