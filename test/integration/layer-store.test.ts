/** The layer store by itself: what is removed from it, and who waits for whom. */
import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Context, EventBody } from '../../src/events/event.ts';
import { exitCode, failureOf } from '../../src/events/failure.ts';
import { announceBuild } from '../../src/layers/builds.ts';
import { pruneStore } from '../../src/layers/housekeeping.ts';
import { keepImages, takeImage } from '../../src/layers/images.ts';
import { LAYER_FORMAT, type LayerRecord } from '../../src/layers/record.ts';
import { LayerStore } from '../../src/layers/store.ts';

const KEYS = ['1', '2', '3'].map((digit) => `${digit.repeat(24)}-${'0'.repeat(16)}`);
const [LOWER = '', UPPER = '', OTHER = ''] = KEYS;

/** A user who owns nothing. */
const NOBODY = 65_534;

interface Opened extends AsyncDisposable {
  readonly store: Listing;
  readonly context: Context;
  readonly events: readonly EventBody[];
}

async function openStore(): Promise<Opened> {
  const cache = await mkdtemp(path.join(os.tmpdir(), 'dibkit-store-'));
  const events: EventBody[] = [];
  const context: Context = {
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    toolEnvironment: { PATH: process.env.PATH ?? '' },
  };
  const store = new Listing(cache);
  await store.make(context);
  return {
    store,
    context,
    events,
    [Symbol.asyncDispose]: () => rm(cache, { recursive: true }),
  };
}

/** Puts a layer of nothing in the store. */
async function publish(store: LayerStore, key: string, parent = ''): Promise<void> {
  const made = path.join(store.builds, `made.${key}`);
  await mkdir(path.join(made, 'tree'), { recursive: true });
  const none = { environment: {}, files: {}, listed: {}, elementFiles: {}, external: {} };
  const record: LayerRecord = {
    ...{ format: LAYER_FORMAT, key, parent, phase: 'root', image: 'it' },
    ...{ created: new Date().toISOString(), boot: '', durationMs: 0 },
    inputs: { ...none, hooks: [], names: [], engine: {} },
    ...{ read: [], binds: [], hooksWritten: [], hooksRemoved: [], undeclaredNetwork: false },
    ...{ sizeBytes: 0, entries: 1, listing: '' },
  };
  await store.publish(made, record);
}

/** A store in which something happens just before its layers are listed, or which lists some of them. */
class Listing extends LayerStore {
  before: () => Promise<void> = async () => {};
  hidden: string | undefined;

  override async keys(): Promise<readonly string[]> {
    await this.before();
    return (await super.keys()).filter((key) => key !== this.hidden);
  }
}

const ALL = { budgetBytes: -1 };

test('what a build publishes while a prune looks is not removed', async () => {
  await using opened = await openStore();
  const { store, context } = opened;
  await publish(store, OTHER);
  const build = path.join(store.builds, 'build.one');
  await mkdir(build);
  await using _alive = await announceBuild(build, context);
  store.before = async () => {
    store.before = async () => {};
    await appendFile(path.join(build, 'keys'), `${LOWER}\n${UPPER}\n`);
    await publish(store, LOWER);
    await publish(store, UPPER, LOWER);
  };
  const { removed } = await pruneStore(store, ALL, context);
  assert.deepEqual(
    removed.map(({ key }) => key),
    [OTHER],
  );
  assert.deepEqual(await store.keys(), [LOWER, UPPER]);
});

test('a layer whose parent the kernel has not listed yet is not taken for a lost one', async () => {
  await using opened = await openStore();
  const { store, context } = opened;
  await publish(store, LOWER);
  await publish(store, UPPER, LOWER);
  store.hidden = LOWER;
  const { removed } = await pruneStore(store, { budgetBytes: 1 }, context);
  assert.deepEqual(removed, []);
});

test('an image that is removed while it is taken is complete, and one that is gone is not there', async () => {
  await using opened = await openStore();
  const { store, context } = opened;
  const made = path.join(path.dirname(store.directory), 'made');
  await writeFile(made, 'image\n');
  const files = new Map([['raw', made]]);
  await keepImages(store, { key: 'k', files, work: store.builds }, context);
  const to = path.join(path.dirname(store.directory), 'taken');
  // A housekeeping that comes right before the copy.
  const bin = path.join(path.dirname(store.directory), 'bin');
  await mkdir(bin);
  const script = `#!/bin/sh\nrm -r '${path.join(store.images, 'k')}'\nPATH=${process.env.PATH} exec cp "$@"\n`;
  await writeFile(path.join(bin, 'cp'), script, { mode: 0o755 });
  const disturbed = { ...context, toolEnvironment: { PATH: `${bin}:${process.env.PATH}` } };
  const take = () => takeImage(store, { key: 'k', type: 'raw', to }, disturbed);
  assert.equal(await take(), true);
  assert.equal(await readFile(to, 'utf8'), 'image\n');
  assert.equal(await take(), false);
});

test('who waits for the store is told for what, and goes on when it is free', async () => {
  await using opened = await openStore();
  const { store, context } = opened;
  for (const [held, wanted, holder] of [
    ['exclusive', 'shared', /dibkit cache prune/],
    ['shared', 'exclusive', /dibkit cache verify/],
  ] as const) {
    const lock = await store.lock(held, context);
    let waiting: Promise<AsyncDisposable> | undefined;
    const event = await new Promise<EventBody>((resolve) => {
      waiting = store.lock(wanted, { ...context, emit: resolve });
    });
    assert.ok(event.kind === 'lock-wait' && holder.test(event.holder), JSON.stringify(event));
    await lock[Symbol.asyncDispose]();
    await (await waiting)?.[Symbol.asyncDispose]();
  }
});

test('a store of another user is no bug of ours: it is named, with its owner', async () => {
  await using opened = await openStore();
  const { store, context } = opened;
  await chmod(path.dirname(store.directory), 0o755);
  process.seteuid?.(NOBODY);
  try {
    for (const use of [() => store.make(context), () => store.assertReadable()]) {
      await assert.rejects(use, (error: unknown) => {
        const failure = failureOf(error);
        assert.equal(exitCode(failure), 3);
        assert.match(failure.message, /^Cannot use the layer store '.*': it belongs to the user/);
        return true;
      });
    }
    // What it lies in cannot even be looked at.
    const hidden = new LayerStore(path.join(store.directory, 'deep/in'));
    await assert.rejects(hidden.assertReadable(), /^\S+ ?Cannot use the layer store '.*': EACCES/);
  } finally {
    process.seteuid?.(0);
  }
});

test('a layer has a key of its own, whatever is in the store or about to be', async () => {
  await using opened = await openStore();
  const { store } = opened;
  assert.equal(store.freeKey(LOWER), LOWER);
  await publish(store, LOWER);
  const build = path.join(store.builds, 'build.one');
  await mkdir(build);
  await appendFile(path.join(build, 'keys'), `${LOWER}.1\n`);
  assert.equal(store.freeKey(LOWER), `${LOWER}.2`);
  await assert.rejects(publish(store, LOWER), /another build has made the layer/);
});
