/** Many processes, one cache: nobody waits for the dead, and nothing is fetched or counted twice. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock } from '../../src/cache/lock.ts';
import { exitCode, failureOf } from '../../src/events/failure.ts';
import { CacheWorker } from '../rig/cache-worker.ts';
import { type Behaviour, file, openServer, sha256, sumsLine } from '../rig/http-server.ts';

const IMAGE = randomBytes(1_000_000);
const IN_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const CONTEXT = { emit: () => {}, signal: new AbortController().signal };

interface Directory extends AsyncDisposable {
  readonly path: string;
}

/** In memory where that can be: on a disk a write may wait for seconds for what others write, and times count here. */
const TEMPORARY = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

async function temporary(): Promise<Directory> {
  const dir = await mkdtemp(path.join(TEMPORARY, 'cache-'));
  return { path: dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

/** Sends a file in pieces, so that there is time to kill somebody; ranges are honoured. */
function slowly(content: Buffer, pieces: number): Behaviour {
  return async ({ headers }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const size = Math.ceil(content.length / pieces);
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"1"',
      'content-length': content.length - start,
      ...(start > 0
        ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }
        : {}),
    });
    for (let at = start; at < content.length && !response.destroyed; at += size) {
      response.write(content.subarray(at, at + size));
      await sleep(4);
    }
    response.end();
  };
}

test('eight processes that want one file get it by one download', async () => {
  await using dir = await temporary();
  await using server = await openServer();
  server.serve('/image', slowly(IMAGE, 50));
  server.serve('/SUMS', file(sumsLine(IMAGE, 'image')));
  const workers = await Promise.all(Array.from({ length: 8 }, () => CacheWorker.start()));
  try {
    for (const worker of workers) {
      worker.order({ fetch: specFor(server.url, path.join(dir.path, 'image')) });
    }
    const answers = await Promise.all(workers.map(resultOf));
    assert.deepEqual(new Set(answers.map((each) => each.sha256)), new Set([sha256(IMAGE)]));
    assert.equal(server.sent('/image'), IMAGE.length);
  } finally {
    await Promise.all(workers.map((each) => each.kill()));
  }
});

function specFor(url: string, target: string): object {
  const sums = { url: `${url}/SUMS`, cachePath: `${target}.sums`, name: 'image' };
  return { url: `${url}/image`, path: target, digest: { kind: 'sums', sums } };
}

async function resultOf(worker: CacheWorker): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const answer = await worker.answer();
    if (answer.waits === undefined) {
      return answer;
    }
  }
}

test('50 rounds: one of eight is killed at any moment, the others get the file within seconds', async () => {
  await using dir = await temporary();
  await using server = await openServer();
  server.serve('/image', slowly(IMAGE, 25));
  server.serve('/SUMS', file(sumsLine(IMAGE, 'image')));
  const workers = await Promise.all(Array.from({ length: 8 }, () => CacheWorker.start()));
  let slowestMs = 0;
  try {
    for (let round = 0; round < 50; round += 1) {
      const target = path.join(dir.path, `image-${round}`);
      for (const worker of workers) {
        worker.order({ fetch: specFor(server.url, target) });
      }
      const started = performance.now();
      await sleep(Math.random() * 150);
      const victim = workers.splice(Math.floor(Math.random() * workers.length), 1);
      await victim[0]?.kill();
      const answers = await Promise.all(workers.map(resultOf));
      slowestMs = Math.max(slowestMs, performance.now() - started);
      assert.deepEqual(
        answers.map((each) => each.sha256),
        workers.map(() => sha256(IMAGE)),
        `round ${round}`,
      );
      assert.deepEqual(await readFile(target), IMAGE);
      await rm(target);
      workers.push(await CacheWorker.start());
    }
    // Who was killed while it reached for the lock may leave that; the next who takes it tidies up.
    for (let round = 0; round < 50; round += 1) {
      await using _lock = await acquireLock(path.join(dir.path, `image-${round}`), {}, CONTEXT);
    }
    const left = (await readdir(dir.path)).filter((name) => /partial|dib-lock|quarant/.test(name));
    assert.deepEqual(left, []);
    assert.ok(slowestMs < 5000, `${slowestMs} ms`);
  } finally {
    await Promise.all(workers.map((each) => each.kill()));
  }
});

test('a lock has one holder at a time among 50 that want it', async () => {
  await using dir = await temporary();
  const counter = path.join(dir.path, 'counter');
  await writeFile(counter, '0');
  const workers = await Promise.all(Array.from({ length: 5 }, () => CacheWorker.start()));
  try {
    for (const worker of workers) {
      worker.order({ count: counter, times: 10 });
    }
    assert.deepEqual(
      await Promise.all(workers.map(resultOf)),
      workers.map(() => ({ counted: 10 })),
    );
    assert.equal(await readFile(counter, 'utf8'), '50');
    assert.deepEqual(await readdir(dir.path), ['counter']);
  } finally {
    await Promise.all(workers.map((each) => each.kill()));
  }
});

test('who waits for a lock is told whose it is and since when, and gives up in time', async () => {
  await using dir = await temporary();
  const target = path.join(dir.path, 'x');
  await using holder = await CacheWorker.start();
  holder.order({ hold: target });
  await holder.answer();
  const seen: string[] = [];
  const context = {
    ...CONTEXT,
    emit: (event: { kind: string; holder?: string }) => seen.push(event.holder ?? ''),
  };
  const started = performance.now();
  const failure = failureOf(
    await acquireLock(target, { waitMs: 2500 }, context).catch((error) => error),
  );
  const tookMs = performance.now() - started;
  assert.equal(failure.kind, 'lock-busy');
  assert.equal(exitCode(failure), 5);
  const told = new RegExp(`process ${holder.child.pid} on .* \\(hold still\\) has it since 20`);
  assert.match(failure.message, told);
  assert.equal(seen.length, 1);
  assert.match(seen.join(), told);
  assert.ok(tookMs >= 2500 && tookMs < 4500, `${tookMs} ms`);
});

test('the lock of a killed process is free at once', async () => {
  await using dir = await temporary();
  const target = path.join(dir.path, 'x');
  await using holder = await CacheWorker.start();
  holder.order({ hold: target });
  await holder.answer();
  await holder.kill();
  // With one look: there is nothing to wait for.
  await using _lock = await acquireLock(target, { waitMs: 0 }, CONTEXT);
});

test('a wait for a lock ends when it is no longer wanted, and leaves nothing', async () => {
  await using dir = await temporary();
  const target = path.join(dir.path, 'x');
  {
    await using _lock = await acquireLock(target, {}, CONTEXT);
    const context = { ...CONTEXT, signal: AbortSignal.timeout(200) };
    await assert.rejects(acquireLock(target, {}, context));
  }
  assert.deepEqual(await readdir(dir.path), []);
});

test('a holder that sleeps keeps its lock; one out of sight keeps it while its heart beats', async () => {
  await using dir = await temporary();
  const [asleep, unseen] = [path.join(dir.path, 'asleep'), path.join(dir.path, 'unseen')];
  await using first = await CacheWorker.start();
  await using second = await CacheWorker.start(IN_NAMESPACE);
  first.order({ hold: asleep });
  second.order({ hold: unseen });
  await Promise.all([first.answer(), second.answer()]);
  first.child.kill('SIGSTOP');
  const waits = [asleep, unseen].map((each) => acquireLock(each, { waitMs: 9000 }, CONTEXT));
  const kinds = (await Promise.allSettled(waits)).map((each) =>
    each.status === 'rejected' ? failureOf(each.reason).kind : 'taken',
  );
  assert.deepEqual(kinds, ['lock-busy', 'lock-busy']);
});

test('a holder out of sight is replaced within seconds of its death', async () => {
  await using dir = await temporary();
  const target = path.join(dir.path, 'x');
  await using holder = await CacheWorker.start(IN_NAMESPACE);
  holder.order({ hold: target });
  await holder.answer();
  await holder.kill();
  const started = performance.now();
  await using _lock = await acquireLock(target, {}, CONTEXT);
  assert.ok(performance.now() - started < 9000);
});

test('a holder out of sight that slept too long is told that it lost the lock', async () => {
  await using dir = await temporary();
  const target = path.join(dir.path, 'x');
  await using holder = await CacheWorker.start(IN_NAMESPACE);
  holder.order({ hold: target });
  await holder.answer();
  const [node = 0] = await childrenOf(holder.child.pid ?? 0);
  process.kill(node, 'SIGSTOP');
  await using _lock = await acquireLock(target, {}, CONTEXT);
  process.kill(node, 'SIGCONT');
  assert.deepEqual(await holder.answer(), { lost: target });
  assert.equal((await readdir(`${target}.dib-lock`)).length, 1);
});

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}

/** As elements of others have it. Source: the ubuntu element's hook of 2016. */
const FLOCK_HOOK = `
set -eu
(
    echo "Getting $CACHED_FILE.lock"
    if ! flock -w 1200 9; then
        exit 1
    fi
    echo locked
    read -r _
) 9> $CACHED_FILE.lock
echo done
`;

test('a hook that flocks FILE.lock and our lock on FILE do not see each other', async () => {
  await using dir = await temporary();
  await using server = await openServer();
  server.serve('/image', file(IMAGE));
  server.serve('/SUMS', file(sumsLine(IMAGE, 'image')));
  const target = path.join(dir.path, 'image');
  const start = (): ReturnType<typeof spawn> =>
    spawn('bash', ['-c', FLOCK_HOOK], {
      // Bash takes a socket at the outermost level for a login by rsh, and would read ~/.bashrc.
      env: { PATH: process.env.PATH, SHLVL: '1', CACHED_FILE: target },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  const hook = start();
  const said: string[] = [];
  hook.stdout?.on('data', (chunk) => said.push(String(chunk)));
  while (!said.join('').includes('locked')) {
    await once(hook.stdout ?? hook, 'data');
  }
  await using worker = await CacheWorker.start();
  worker.order({ fetch: specFor(server.url, target) });
  assert.deepEqual(await resultOf(worker), { sha256: sha256(IMAGE) });
  {
    await using _ours = await acquireLock(target, {}, CONTEXT);
    const second = start();
    hook.stdin?.end('\n');
    second.stdin?.end('\n');
    const codes = await Promise.all([hook, second].map((each) => once(each, 'exit')));
    assert.deepEqual(codes, [
      [0, null],
      [0, null],
    ]);
  }
  assert.ok((await stat(`${target}.lock`)).isFile());
  assert.deepEqual(await readFile(target), IMAGE);
});
