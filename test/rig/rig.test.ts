import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { EventFile } from './event-file.ts';
import { leaksOf } from './leaks.ts';
import { openPhone } from './phone.ts';
import { hook, openRig, text } from './rig.ts';

async function inTemporaryDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'rig-test-'));
  try {
    await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Starts a program in a directory and waits until it runs. */
async function startIn(cwd: string, argv: readonly string[]): Promise<ChildProcess> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { cwd, stdio: 'ignore' });
  await once(child, 'spawn');
  return child;
}

test('leaksOf() says nothing about a directory that nobody uses', async () => {
  await inTemporaryDirectory(async (dir) => {
    assert.deepEqual(await leaksOf(dir), []);
  });
});

test('leaksOf() finds a process by its command line and by its working directory', async () => {
  await inTemporaryDirectory(async (dir) => {
    const children = [
      await startIn('/', ['sh', '-c', 'sleep 100; :', dir]),
      await startIn(dir, ['sleep', '100']),
    ];
    try {
      const leaks = await leaksOf(dir);
      for (const child of children) {
        assert.ok(
          leaks.some((leak) => leak.startsWith(`process ${child.pid}:`)),
          leaks.join('\n'),
        );
      }
    } finally {
      for (const child of children) {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
    }
  });
});

test('leaksOf() finds a mount', async () => {
  await inTemporaryDirectory(async (dir) => {
    execFileSync('mount', ['-t', 'tmpfs', 'rig-test', dir]);
    try {
      assert.match((await leaksOf(dir)).join('\n'), /^mount: .*tmpfs/m);
    } finally {
      execFileSync('umount', [dir]);
    }
  });
});

test('leaksOf() finds work directories, half-written files and locks', async () => {
  await inTemporaryDirectory(async (dir) => {
    await mkdir(path.join(dir, 'tmp/dib_build.AbCdEfGh'), { recursive: true });
    await writeFile(path.join(dir, 'image.qcow2.tmp'), '');
    await mkdir(path.join(dir, 'image.dib-lock'));
    assert.equal((await leaksOf(dir)).length, 3);
  });
});

test('leaksOf() finds a lock that is held, and leaves one that is only there', async () => {
  await inTemporaryDirectory(async (dir) => {
    const lock = path.join(dir, 'apt.lock');
    await writeFile(lock, '');
    assert.deepEqual(await leaksOf(dir), []);
    const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; cat']);
    await once(holder.stdout, 'data');
    assert.deepEqual(
      (await leaksOf(dir)).filter((line) => !line.startsWith('process')),
      [`lock still held: ${lock}`],
    );
    holder.stdin.end();
    await once(holder, 'close');
  });
});

test('a rig refuses to end while something is left in its TMPDIR', async () => {
  const rig = await openRig();
  await writeFile(path.join(rig.tmp, 'forgotten'), '');
  await assert.rejects(rig[Symbol.asyncDispose](), /TMPDIR should be empty/);
  await assert.rejects(text(rig.tmp, 'forgotten'), /ENOENT/);
});

test('EventFile finds past and future events and ignores a half-written line', async () => {
  await inTemporaryDirectory(async (dir) => {
    const events = new EventFile(path.join(dir, 'events.jsonl'));
    await writeFile(events.path, '{"kind":"output","line":"a","at":1}\n{"kind":"outp');
    const past = await events.find((event) => event.kind === 'output');
    assert.equal(past.at, 1);
    const future = events.find((event) => event.at === 2);
    await appendFile(events.path, 'ut","line":"b","at":2}\n');
    assert.equal((await future).at, 2);
    const never = events.find((event) => event.at === 3);
    assert.equal(events.end('why').length, 2);
    await assert.rejects(never, /without the awaited event. why/);
  });
});

test('a hook that phones home waits for its exit status, in the tiny root too', async () => {
  await using rig = await openRig();
  await using phone = await openPhone();
  const target = path.join(rig.dir, 'target');
  const tiny = path.join(import.meta.dirname, 'elements/tiny/root.d/10-tiny');
  execFileSync(tiny, { env: { ...process.env, TARGET_ROOT: target } });
  await rig.element('../target/hooks', { call: phone.hook('in-target') });
  const child = spawn('chroot', [target, '/hooks/call'], {
    env: { PATH: '/bin:/usr/sbin', MARK: 'a\nb=c' },
  });
  const call = await phone.next('in-target');
  assert.equal(call.environment.MARK, 'a\nb=c');
  assert.equal(call.cwd, '/');
  assert.equal(call.script, '/hooks/call');
  assert.equal(child.exitCode, null);
  call.exit(7);
  const [status] = await once(child, 'close');
  assert.equal(status, 7);
});

test('hook() makes a script that stops at the first failing command', async () => {
  await using rig = await openRig();
  await rig.element('x', { 'install.d/10-x': hook('false; echo not reached') });
  assert.throws(() => execFileSync(path.join(rig.elements, 'x/install.d/10-x')), { status: 1 });
});
