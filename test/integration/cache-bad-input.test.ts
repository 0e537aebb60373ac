/** Every way in which mirrors and caches lie or break, against a real server: it heals, or says so. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Sha256 } from '../../src/cache/checksum.ts';
import type { FetchContext } from '../../src/cache/fetch-file.ts';
import { Network } from '../../src/cache/network.ts';
import { verifiedFetch } from '../../src/cache/verified-fetch.ts';
import type { VerifiedFetchSpec, VerifiedFile } from '../../src/cache/verified-file.ts';
import type { EventBody } from '../../src/events/event.ts';
import { type Failure, failureOf } from '../../src/events/failure.ts';
import {
  cached,
  cutAfter,
  file,
  fileWithoutRanges,
  openServer,
  redirect,
  sha256,
  stallAfter,
  status,
  sumsLine,
  type TestServer,
} from '../rig/http-server.ts';

const IMAGE = gzipSync(randomBytes(3_000_000), { level: 0 });
const OTHER = gzipSync(randomBytes(2_000_000), { level: 0 });
const PAGE = '<!DOCTYPE html><html><body>Please log in</body></html>';

interface Bench extends AsyncDisposable {
  readonly server: TestServer;
  readonly dir: string;
  readonly target: string;
  readonly events: EventBody[];
  readonly context: FetchContext;
  fetch(more?: Partial<VerifiedFetchSpec>): Promise<VerifiedFile>;
  /** The failure that a fetch ends with, having checked what holds after every failure. */
  failure(more?: Partial<VerifiedFetchSpec>): Promise<Failure>;
  /** What is in the cache besides the file and its record. */
  others(): Promise<readonly string[]>;
}

/** A server with a good image and good sums, and an empty cache. */
async function setUp(
  settings: { readonly idleMs?: number; readonly httpProxy?: string } = {},
): Promise<Bench> {
  const server = await openServer();
  server.serve('/image', file(IMAGE));
  server.serve('/SUMS', file(sumsLine(IMAGE, 'image')));
  const dir = await mkdtemp(path.join(os.tmpdir(), 'cache-'));
  const target = path.join(dir, 'image');
  const network = new Network({ idleMs: 5000, ...settings });
  const events: EventBody[] = [];
  const context = {
    emit: (event: EventBody) => events.push(event),
    signal: new AbortController().signal,
    network,
    retries: { attempts: 4, baseMs: 1, maxMs: 4 },
  };
  const sums = { url: `${server.url}/SUMS`, cachePath: path.join(dir, 'SUMS'), name: 'image' };
  const base = {
    url: `${server.url}/image`,
    path: target,
    digest: { kind: 'sums', sums } as const,
  };
  const fetch: Bench['fetch'] = (more = {}) => verifiedFetch({ ...base, ...more }, context);
  return {
    server,
    dir,
    target,
    events,
    context,
    fetch,
    failure: async (more) => {
      const failure = failureOf(
        await fetch(more).then(
          () => undefined,
          (error) => error,
        ),
      );
      assert.notEqual(failure.kind, 'internal', failure.message);
      return failure;
    },
    others: async () => {
      const known = ['image', 'image.dib-verified', 'SUMS', 'SUMS.dib-verified'];
      return (await readdir(dir)).filter((name) => !known.includes(name)).sort();
    },
    [Symbol.asyncDispose]: async () => {
      await network[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    },
  };
}

/** The file is there, verified, and nothing else is left. */
async function assertGood(bench: Bench, content: Uint8Array = IMAGE): Promise<void> {
  assert.ok(Buffer.from(content).equals(await readFile(bench.target)));
  assert.deepEqual(await bench.others(), []);
}

async function exists(name: string): Promise<boolean> {
  return await stat(name).then(
    () => true,
    () => false,
  );
}

test('a fetch verifies, publishes with a plain mode, and leaves nothing else', async () => {
  await using bench = await setUp();
  const got = await bench.fetch();
  assert.deepEqual(got, { path: bench.target, sha256: sha256(IMAGE), how: 'fetched' });
  await assertGood(bench);
  assert.equal((await stat(bench.target)).mode & 0o777, 0o666 & ~process.umask());
});

test('a verified file is neither fetched nor read again, unless that is asked', async () => {
  await using bench = await setUp();
  await bench.fetch();
  assert.equal((await bench.fetch()).how, 'known');
  const paths = bench.server.asked.map(
    ({ path: each, isConditional }) => `${each} ${isConditional}`,
  );
  assert.deepEqual(paths, ['/SUMS false', '/image false', '/SUMS true']);
  // Damaged behind our back, size and time as they were: only reading it can tell.
  const before = await stat(bench.target);
  const damaged = Buffer.from(IMAGE);
  damaged.writeUInt8(damaged.readUInt8(1000) ^ 1, 1000);
  await writeFile(bench.target, damaged);
  await utimes(bench.target, before.atime, before.mtime);
  assert.equal((await bench.fetch({ rehash: true })).how, 'fetched');
  assert.deepEqual(await readFile(bench.target), IMAGE);
  assert.match((await bench.others()).join(), /^image\.quarantined-/);
});

test('a verified file that was changed, cut or touched is noticed', async () => {
  await using bench = await setUp();
  await bench.fetch();
  await utimes(bench.target, 1, 1);
  assert.equal((await bench.fetch()).how, 'found');
  await truncate(bench.target, 10);
  assert.equal((await bench.fetch()).how, 'fetched');
  assert.deepEqual(await readFile(bench.target), IMAGE);
});

test('a file of the same name that an older tool left is adopted when it verifies', async () => {
  await using bench = await setUp();
  await writeFile(bench.target, IMAGE);
  assert.equal((await bench.fetch()).how, 'found');
  assert.equal(bench.server.sent('/image'), 0);
  await assertGood(bench);
});

test('a file that an older tool left is replaced when it is another one', async () => {
  await using bench = await setUp();
  await writeFile(bench.target, OTHER);
  assert.equal((await bench.fetch()).how, 'fetched');
  await assertGood(bench);
});

test('wrong sums once, from a cache on the way: the sums alone are fetched again', async () => {
  await using bench = await setUp();
  bench.server.serve(
    '/SUMS',
    cached(file(sumsLine(OTHER, 'image')), file(sumsLine(IMAGE, 'image'))),
  );
  await bench.fetch();
  await assertGood(bench);
  const paths = bench.server.asked.map(({ path: each, busts }) => `${each} ${busts}`);
  assert.deepEqual(paths, ['/SUMS false', '/image false', '/SUMS true']);
});

test('a wrong file once, from a cache on the way: the sums, then the file are fetched again', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', cached(file(OTHER), file(IMAGE)));
  await bench.fetch();
  await assertGood(bench);
  const paths = bench.server.asked.map(({ path: each, busts }) => `${each} ${busts}`);
  assert.deepEqual(paths, ['/SUMS false', '/image false', '/SUMS true', '/image true']);
});

test('a wrong file for ever is quarantined, and the failure has both digests, URLs and dates', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', file(OTHER));
  const failure = await bench.failure();
  assert.equal(failure.kind, 'verify');
  const [kept = ''] = await bench.others();
  assert.match(kept, /^image\.quarantined-/);
  assert.deepEqual(await readFile(path.join(bench.dir, kept)), OTHER);
  for (const part of [
    sha256(IMAGE),
    sha256(OTHER),
    `${bench.server.url}/image`,
    `${bench.server.url}/SUMS`,
    kept,
  ]) {
    assert.ok(failure.message.includes(part), part);
  }
  assert.equal(failure.message.match(/Last-Modified: Wed, 01 Jan 2020/g)?.length, 2);
  assert.equal(await exists(bench.target), false);
  // Once is for inspection; many would fill the disk.
  await bench.failure();
  assert.equal((await bench.others()).length, 1);
});

test('a pinned digest needs no list, and a wrong file for it fails', async () => {
  await using bench = await setUp();
  const pin = (content: Uint8Array): Partial<VerifiedFetchSpec> => ({
    digest: { kind: 'pinned', sha256: sha256(content) as Sha256 },
  });
  await bench.fetch(pin(IMAGE));
  assert.equal((await bench.fetch(pin(IMAGE))).how, 'known');
  assert.deepEqual(
    bench.server.asked.map((each) => each.path),
    ['/image'],
  );
  const failure = await bench.failure(pin(OTHER));
  assert.equal(failure.kind, 'verify');
  assert.match(failure.message, /pinned/);
  assert.deepEqual(await readFile(bench.target), IMAGE);
});

const BAD_SUMS = [
  ['sums without our file', sumsLine(OTHER, 'not-image'), /no line for 'image'/],
  ['empty sums', '', /it is empty/],
  ['a web page for sums', PAGE, /web page/],
] as const;

for (const [what, text, expected] of BAD_SUMS) {
  test(`${what} once: heals; for ever: one clear failure`, async () => {
    await using bench = await setUp();
    bench.server.serve('/SUMS', cached(file(text), file(sumsLine(IMAGE, 'image'))));
    await bench.fetch();
    await assertGood(bench);

    bench.server.serve('/SUMS', file(text));
    const failure = await bench.failure();
    assert.equal(failure.kind, 'verify');
    assert.match(failure.message, expected);
    assert.match(failure.hint ?? '', /DIB_FETCH_ALLOW_STALE=1/);
    assert.equal((await bench.fetch({ allowStale: true })).how, 'stale');
    await assertGood(bench);
  });
}

test('a web page instead of the file: heals past all caches, else says that it is a web page', async () => {
  await using bench = await setUp();
  const page = file(PAGE, 'text/html; charset=utf-8');
  bench.server.serve('/image', cached(page, file(IMAGE)));
  await bench.fetch();
  await assertGood(bench);
  await rm(bench.target);
  bench.server.serve('/image', page);
  const failure = await bench.failure();
  assert.equal(failure.kind, 'verify');
  assert.match(failure.message, /is a web page/);
  assert.equal(await exists(bench.target), false);
});

test('a truncated gzip: heals past all caches, else fails to verify', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', cached(file(IMAGE.subarray(0, 100_000)), file(IMAGE)));
  await bench.fetch();
  await assertGood(bench);
  await rm(bench.target);
  bench.server.serve('/image', file(IMAGE.subarray(0, 100_000)));
  assert.equal((await bench.failure()).kind, 'verify');
  assert.equal(await exists(bench.target), false);
});

test('404 fails at once, with the status and the URL, and what was verified stays', async () => {
  await using bench = await setUp();
  await bench.fetch();
  bench.server.serve('/SUMS', file(sumsLine(OTHER, 'image')));
  bench.server.serve('/image', status(404));
  const failure = await bench.failure();
  assert.deepEqual(failure.kind === 'fetch' && [failure.status, failure.url], [
    404,
    `${bench.server.url}/image`,
  ]);
  assert.deepEqual(await readFile(bench.target), IMAGE);
  assert.equal((await bench.fetch({ allowStale: true })).sha256, sha256(IMAGE));
});

test('500 three times, then 200: heals', async () => {
  await using bench = await setUp();
  const bad = status(500);
  bench.server.serve('/image', bad, bad, bad, file(IMAGE));
  await bench.fetch();
  await assertGood(bench);
});

test('500 for ever fails with the status', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', status(500));
  const failure = await bench.failure();
  assert.equal(failure.kind === 'fetch' && failure.status, 500);
});

test('a connection cut at random bytes, again and again, is taken up where it broke', async () => {
  await using bench = await setUp();
  const cuts = Array.from({ length: 12 }, () =>
    cutAfter(IMAGE, Math.floor(Math.random() * 400_000)),
  );
  bench.server.serve('/image', ...cuts, file(IMAGE));
  await bench.fetch();
  await assertGood(bench);
  const resumed = bench.server.asked.filter(
    ({ path: each, range }) => each === '/image' && range !== undefined,
  );
  assert.ok(resumed.length >= 8, `${resumed.length}`);
  assert.ok(bench.server.sent('/image') < IMAGE.length * 2);
});

test('what a failed fetch got is not fetched again by the next one', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', cutAfter(IMAGE, 2_000_000), status(503));
  assert.equal((await bench.failure()).kind, 'fetch');
  assert.equal((await bench.others()).length, 2);
  bench.server.serve('/image', file(IMAGE));
  await bench.fetch();
  await assertGood(bench);
  assert.match(bench.server.asked.at(-1)?.range ?? '', /^bytes=[1-9]\d+-$/);
});

test('what a failed fetch got is thrown away when the file on the server has changed', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', cutAfter(IMAGE, 2_000_000), status(503));
  await bench.failure();
  bench.server.serve('/SUMS', file(sumsLine(OTHER, 'image')));
  bench.server.serve('/image', file(OTHER));
  await bench.fetch();
  await assertGood(bench, OTHER);
});

test('a server that ignores Range starts again, and heals', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', fileWithoutRanges(IMAGE, 1_000_000), fileWithoutRanges(IMAGE));
  await bench.fetch();
  await assertGood(bench);
});

test('a server that stalls is given up and taken up again', async () => {
  await using bench = await setUp({ idleMs: 1500 });
  bench.server.serve('/image', stallAfter(IMAGE, 1_000_000), file(IMAGE));
  await bench.fetch();
  await assertGood(bench);
  assert.match(JSON.stringify(bench.events), /has stalled/);
});

test('a server that never answers fails as stalled', async () => {
  await using bench = await setUp({ idleMs: 1000 });
  bench.server.serve('/image', () => {});
  const failure = await bench.failure();
  assert.match(failure.message, /stalled/);
});

test('redirects are followed; a loop, too many, and another scheme fail at once', async () => {
  await using bench = await setUp();
  const { server } = bench;
  server.serve('/image', redirect('/elsewhere'));
  server.serve('/elsewhere', redirect(`${server.url}/real`));
  server.serve('/real', file(IMAGE));
  await bench.fetch();
  await assertGood(bench);
  await rm(bench.target);
  server.serve('/real', redirect('/image'));
  assert.match((await bench.failure()).message, /in a loop/);
  for (let hop = 0; hop < 12; hop += 1) {
    server.serve(`/hop${hop}`, redirect(`/hop${hop + 1}`));
  }
  server.serve('/image', redirect('/hop0'));
  assert.match((await bench.failure()).message, /more than 10 times/);
  server.serve('/image', redirect('file:///etc/passwd'));
  assert.match((await bench.failure()).message, /from http to file, which is refused/);
});

test('nobody listening fails with the reason', async () => {
  await using bench = await setUp();
  await bench.server[Symbol.asyncDispose]();
  const failure = await bench.failure();
  assert.equal(failure.kind === 'fetch' && failure.code, 'ECONNREFUSED');
});

test('a proxy from the environment is asked, in its own way', async () => {
  await using proxy = await openServer();
  await using bench = await setUp({ httpProxy: proxy.url.replace('http://', '') });
  proxy.serve(`${bench.server.url}/image`, file(IMAGE));
  proxy.serve(`${bench.server.url}/SUMS`, file(sumsLine(IMAGE, 'image')));
  await bench.fetch();
  await assertGood(bench);
  assert.deepEqual(bench.server.asked, []);
});

test('file:// is fetched and verified like the rest', async () => {
  await using bench = await setUp();
  const source = path.join(bench.dir, 'source');
  await writeFile(source, IMAGE);
  const digest = { kind: 'pinned', sha256: sha256(IMAGE) as Sha256 } as const;
  await bench.fetch({ url: `file://${source}`, digest });
  assert.deepEqual(await readFile(bench.target), IMAGE);
  await rm(bench.target);
  const failure = await bench.failure({ url: `file://${bench.dir}/nowhere`, digest });
  assert.match(failure.message, /no such file/);
});

test('a clock set back, or one that was ahead, changes nothing', async (context: TestContext) => {
  await using bench = await setUp();
  await bench.fetch();
  const future = new Date('2090-01-01');
  for (const name of await readdir(bench.dir)) {
    await utimes(path.join(bench.dir, name), future, future);
  }
  // What an earlier build left, with time stamps of the future too.
  await writeFile(`${bench.target}.dib-partial.0-1-2-3.1`, 'x');
  await utimes(`${bench.target}.dib-partial.0-1-2-3.1`, future, future);
  assert.equal((await bench.fetch()).how, 'found');
  context.mock.timers.enable({ apis: ['Date'], now: new Date('2001-01-01') });
  assert.equal((await bench.fetch()).how, 'known');
  bench.server.serve('/SUMS', file(sumsLine(OTHER, 'image')));
  bench.server.serve('/image', file(OTHER));
  assert.equal((await bench.fetch()).how, 'fetched');
  await assertGood(bench, OTHER);
});

test('offline uses what was verified or what the list in the cache vouches for, without the net', async () => {
  await using bench = await setUp();
  await bench.fetch();
  bench.server.asked.length = 0;
  assert.equal((await bench.fetch({ offline: true })).how, 'known');
  await rm(`${bench.target}.dib-verified`);
  assert.equal((await bench.fetch({ offline: true })).how, 'found');
  await rm(`${bench.target}.dib-verified`);
  await writeFile(bench.target, OTHER);
  const failure = await bench.failure({ offline: true });
  assert.equal(failure.kind, 'verify');
  assert.ok(failure.message.includes(sha256(OTHER)) && failure.message.includes(sha256(IMAGE)));
  assert.deepEqual(bench.server.asked, []);
});

test('offline with nothing in the cache tries all the same, as it always has', async () => {
  await using bench = await setUp();
  assert.equal((await bench.fetch({ offline: true })).how, 'fetched');
  assert.match(JSON.stringify(bench.events), /Offline, but/);
});
