/** dib-fetch and cache-url as hooks call them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import {
  cutAfter,
  file,
  openServer,
  redirect,
  sha256,
  stallAfter,
  status,
  sumsLine,
  type TestServer,
  withoutLength,
} from '../rig/http-server.ts';
import { type HookResult, ROOT, runHook } from '../rig/run-hook.ts';

const IMAGE = randomBytes(3_000_000);
const DIB_FETCH = `${ROOT}/hooks/host-bin/dib-fetch`;
const CACHE_URL = `${ROOT}/elements/cache-url/bin/cache-url`;

interface Bench extends AsyncDisposable {
  readonly server: TestServer;
  readonly dir: string;
  readonly target: string;
}

async function setUp(): Promise<Bench> {
  const server = await openServer();
  server.serve('/image', file(IMAGE));
  server.serve('/SUMS', file(sumsLine(IMAGE, 'image')));
  const dir = await mkdtemp(path.join(os.tmpdir(), 'cache-'));
  return {
    server,
    dir,
    target: path.join(dir, 'image'),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    },
  };
}

type Variables = Readonly<Record<string, string>>;

function dibFetch({ server, target }: Bench, env: Variables = {}): Promise<HookResult> {
  return runHook([...fetchArgv(server), target], { no_proxy: '*', ...env });
}

function fetchArgv({ url }: TestServer): readonly string[] {
  return [DIB_FETCH, '--url', `${url}/image`, '--sums', `${url}/SUMS`];
}

test('dib-fetch prints the digest of the verified file, and ends with 0', async () => {
  await using bench = await setUp();
  for (const expected of [/Fetched .*\/image \(2\.86 MiB in /, /^$/]) {
    const { status: code, stdout, stderr } = await dibFetch(bench);
    assert.deepEqual([code, stdout], [0, `${sha256(IMAGE)}\n`], stderr);
    assert.match(stderr, expected);
  }
  assert.deepEqual(await readFile(bench.target), IMAGE);
});

test('dib-fetch takes a path in DIB_IMAGE_CACHE, a place and a name for the sums, and a digest', async () => {
  await using bench = await setUp();
  const env = { DIB_IMAGE_CACHE: bench.dir, no_proxy: '*' };
  const options = ['--sums-cache', 'SHA256SUMS.ubuntu', '--name', 'image'];
  assert.equal((await runHook([...fetchArgv(bench.server), ...options, 'base'], env)).status, 0);
  assert.deepEqual(await readFile(`${bench.dir}/base`), IMAGE);
  assert.equal(await readFile(`${bench.dir}/SHA256SUMS.ubuntu`, 'utf8'), sumsLine(IMAGE, 'image'));
  const pinned = [DIB_FETCH, '--url', `${bench.server.url}/image`, '--sha256', sha256(IMAGE)];
  assert.equal((await runHook([...pinned, 'other'], env)).status, 0);
  assert.deepEqual(await readFile(`${bench.dir}/other`), IMAGE);
});

test('dib-fetch ends with 4 for what does not verify, 1 for what does not come, 2 for bad usage', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', file('something else'));
  const wrong = await dibFetch(bench);
  assert.equal(wrong.status, 4);
  assert.match(wrong.stderr, new RegExp(`expected  ${sha256(IMAGE)}\n`));
  bench.server.serve('/image', status(403));
  const refused = await dibFetch(bench);
  assert.deepEqual([refused.status, refused.stdout], [1, '']);
  assert.match(refused.stderr, /the server answered 403/);
  const [, ...options] = fetchArgv(bench.server);
  for (const argv of [
    [],
    ['x'],
    [...options, '--sha256', 'ab', 'x'],
    ['--url', 'y', '--sums', 'z', 'x'],
  ]) {
    const { status: code, stderr } = await runHook([DIB_FETCH, ...argv]);
    assert.equal(code, 2, stderr);
    assert.doesNotMatch(stderr, /INTERNAL/);
  }
});

test('dib-fetch ends with 5 when somebody else has the file for too long', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', stallAfter(IMAGE, 1000));
  const first = spawn(DIB_FETCH, [...fetchArgv(bench.server).slice(1), bench.target], {
    env: { PATH: process.env.PATH, DIBKIT_NODE: process.execPath, DIBKIT_ROOT: ROOT },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  while (bench.server.sent('/image') === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const second = await dibFetch(bench, { DIB_LOCK_WAIT: '1' });
  assert.equal(second.status, 5);
  assert.match(second.stderr, new RegExp(`process ${first.pid} on .*dibkit fetch`));
  // A signal is told, and gives the lock back.
  const said = text(first.stderr);
  first.kill('SIGTERM');
  const [code] = await once(first, 'exit');
  assert.equal(code, 143);
  assert.match(await said, /Interrupted by SIGTERM/);
  assert.deepEqual(
    (await readdir(bench.dir)).filter((name) => name.includes('lock')),
    [],
  );
});

/** With 1 MiB for the cache, where a file lies already; all must be as it was afterwards. */
async function intoSmallCache(bench: Bench): Promise<HookResult> {
  const script = [
    'mount -t tmpfs -o size=1m none "$0"',
    'echo old > "$0/old"',
    '"$@" || code=$?',
    'ls -A "$0"',
    'exit "$code"',
  ].join('\n');
  const argv = ['unshare', '--mount', 'sh', '-c', script, bench.dir, ...fetchArgv(bench.server)];
  const result = await runHook([...argv, bench.target], { no_proxy: '*' });
  assert.equal(result.status, 1, result.stderr);
  assert.deepEqual(
    result.stdout
      .trim()
      .split('\n')
      .filter((name) => !name.startsWith('image.dib-sums')),
    ['old'],
  );
  return result;
}

test('a cache that is too small is told before the file comes, where the server says how long it is', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', stallAfter(IMAGE, 1));
  const { stderr } = await intoSmallCache(bench);
  assert.match(
    stderr,
    /^ERROR: No space left for http:\S+\/image in '.*': 2\.9 MiB are needed, (0\.9|1) MiB of 1 MiB are free$/m,
  );
  assert.match(stderr, /point TMPDIR, --image-cache or -o at a larger file system/);
});

test('a disk that is full while a file comes is one clear failure, and the cache is as it was', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', withoutLength(IMAGE));
  const { stderr } = await intoSmallCache(bench);
  assert.match(stderr, /^ERROR: No space left on the device while writing .*image/m);
});

test('a read-only cache serves what it has offline, and else is one clear failure', async () => {
  await using bench = await setUp();
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const argv = ['unshare', '--mount', 'sh', '-c', script, bench.dir, ...fetchArgv(bench.server)];
  const run = (env: Variables): Promise<HookResult> =>
    runHook([...argv, bench.target], { no_proxy: '*', ...env });
  const empty = await run({});
  assert.equal(empty.status, 2, empty.stderr);
  assert.match(empty.stderr, /^ERROR: Cannot write beside '.*': EROFS/m);
  assert.equal((await dibFetch(bench)).status, 0);
  assert.equal((await run({ DIB_OFFLINE: '1' })).stdout, `${sha256(IMAGE)}\n`);
  await rm(`${bench.target}.dib-verified`);
  assert.equal((await run({ DIB_OFFLINE: '1' })).stdout, `${sha256(IMAGE)}\n`);
});

function cacheUrl(bench: Bench, ...words: readonly string[]): Promise<HookResult> {
  return runHook([CACHE_URL, ...words], { no_proxy: '*', TMPDIR: bench.dir });
}

test('a place in /proc ends the commands, and does not keep them waiting', async () => {
  await using bench = await setUp();
  const place = '/proc/nowhere/image';
  const commands = [
    [...fetchArgv(bench.server), place],
    [CACHE_URL, `${bench.server.url}/image`, place],
  ];
  for (const argv of commands) {
    const { status: code, stderr } = await runHook(argv, { no_proxy: '*' });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Cannot make the directory '\/proc\/nowhere': ENOENT/);
  }
});

test('a directory that no room is left for is a full disk, and no wrong name', async () => {
  await using bench = await setUp();
  const script = 'mount -t tmpfs -o nr_inodes=1 none "$0" && exec "$@"';
  const argv = ['unshare', '--mount', 'sh', '-c', script, bench.dir, ...fetchArgv(bench.server)];
  const place = path.join(bench.dir, 'below/image');
  const { status: code, stderr } = await runHook([...argv, place], { no_proxy: '*' });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /No space left on the device while writing .*below/);
});

test('cache-url has the words and statuses of upstream', async () => {
  await using bench = await setUp();
  const { server, target } = bench;
  const url = `${server.url}/image`;
  assert.equal(
    (await cacheUrl(bench, url, target)).stdout,
    `Downloaded and cached ${url} for the first time\n`,
  );
  assert.equal((await stat(target)).mode & 0o777, 0o666 & ~process.umask());
  server.serve('/image', status(304));
  assert.match(
    (await cacheUrl(bench, url, target)).stdout,
    /^Server copy has not changed\. Using locally cached /,
  );
  server.serve('/image', file('new'));
  assert.match(
    (await cacheUrl(bench, url, target)).stdout,
    /^Server copy has changed\. Using server version of /,
  );
  assert.match(
    (await cacheUrl(bench, '-f', url, target)).stdout,
    /having forced upstream caches to revalidate$/m,
  );
  assert.deepEqual([server.asked.at(-1)?.busts, server.asked.at(-1)?.isConditional], [true, false]);
  server.serve('/image', file(''));
  assert.match(
    (await cacheUrl(bench, url, target)).stdout,
    /^Ignoring empty file returned by curl\. Using /,
  );
  assert.equal(await readFile(target, 'utf8'), 'new');
  server.serve('/image', status(404));
  const missing = await cacheUrl(bench, url, target);
  assert.deepEqual(
    [missing.status, missing.stdout],
    [44, 'Server returned an unexpected response code. [404]\n'],
  );
  server.serve('/image', redirect('/image'));
  assert.equal((await cacheUrl(bench, url, target)).status, 47);
  assert.equal((await cacheUrl(bench)).status, 1);
  assert.equal((await cacheUrl(bench, '-h')).status, 0);
  assert.equal(await readFile(target, 'utf8'), 'new');
  assert.deepEqual(await readdir(bench.dir), ['image']);
});

test('cache-url takes up broken connections, and passing errors', async () => {
  await using bench = await setUp();
  bench.server.serve(
    '/image',
    cutAfter(IMAGE, 500_000),
    status(503),
    cutAfter(IMAGE, 500_000),
    file(IMAGE),
  );
  assert.equal((await cacheUrl(bench, `${bench.server.url}/image`, bench.target)).status, 0);
  assert.deepEqual(await readFile(bench.target), IMAGE);
  assert.equal(bench.server.asked.filter(({ range }) => range !== undefined).length, 3);
});

test('cache-url ends with 7 where nobody listens, keeps the copy, and leaves nothing', async () => {
  await using bench = await setUp();
  await writeFile(bench.target, 'old');
  await bench.server[Symbol.asyncDispose]();
  const { status: code, stderr } = await cacheUrl(bench, `${bench.server.url}/image`, bench.target);
  assert.equal(code, 7);
  assert.match(stderr, /ECONNREFUSED/);
  assert.deepEqual(await readdir(bench.dir), ['image']);
  assert.equal(await readFile(bench.target, 'utf8'), 'old');
});

test('cache-url writes into a pipe', async () => {
  await using bench = await setUp();
  const script = 'mkfifo "$0" && { cat "$0" > "$0.out" & } && "$@" "$0" && wait';
  const argv = ['sh', '-c', script, `${bench.dir}/pipe`, CACHE_URL, `${bench.server.url}/image`];
  const { stdout, stderr } = await runHook(argv, { no_proxy: '*', TMPDIR: bench.dir });
  assert.match(stdout, /for the first time$/m, stderr);
  assert.deepEqual(await readFile(`${bench.dir}/pipe.out`), IMAGE);
  assert.deepEqual((await readdir(bench.dir)).sort(), ['pipe', 'pipe.out']);
});

test('many cache-urls of one file: one download, the others find it current', async () => {
  await using bench = await setUp();
  bench.server.serve('/image', file(IMAGE), status(304));
  const url = `${bench.server.url}/image`;
  const results = await Promise.all(
    Array.from({ length: 6 }, () => cacheUrl(bench, url, bench.target)),
  );
  assert.deepEqual(
    results.map((each) => each.status),
    [0, 0, 0, 0, 0, 0],
  );
  assert.equal(results.filter(({ stdout }) => /for the first time/.test(stdout)).length, 1);
  assert.deepEqual(await readFile(bench.target), IMAGE);
  assert.deepEqual(await readdir(bench.dir), ['image']);
});

test('cache-url inside an image, where the builder is not, is curl with the same words', async () => {
  await using bench = await setUp();
  const env = { no_proxy: '*', DIBKIT_NODE: '', DIBKIT_ROOT: '' };
  const url = `${bench.server.url}/image`;
  const { stdout } = await runHook([CACHE_URL, url, bench.target], env);
  assert.equal(stdout, `Downloaded and cached ${url} for the first time\n`);
  assert.deepEqual(await readFile(bench.target), IMAGE);
});
