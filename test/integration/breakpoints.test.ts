/** Break points, with a person at a real terminal, and without one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BuildEvent } from '../../src/events/event.ts';
import { hook, openRig, type Rig } from '../rig/rig.ts';
import { KEYS, openTerminal, type TerminalSession } from '../rig/terminal.ts';

const COMMAND = fileURLToPath(new URL('../../bin/disk-image-create', import.meta.url));
const ARGUMENTS = ['-n', '-t', 'tar', '-o', 'image', 'tiny', 'mine'];
const HOOK = '/tmp/in_target.d/install.d/50-fails';

/** An element with something to inherit and a hook that fails. */
async function writeElement(rig: Rig): Promise<string> {
  return rig.element('mine', {
    'environment.d/10-greet':
      'export GREETING="a  b"\ngreet() { echo "<$GREETING>"; }\nexport -f greet\numask 027\n',
    'install.d/40-first': hook('echo first ran'),
    'install.d/50-fails': hook('echo "why it failed"; exit 3'),
    'install.d/60-last': hook('greet >/last'),
  });
}

function build(rig: Rig, points: string, env: Record<string, string> = {}): TerminalSession {
  const events = path.join(rig.dir, 'events');
  return openTerminal(rig, ['disk-image-create', '--events', events, ...ARGUMENTS], {
    env: { break: points, DIB_NO_TIMESTAMP: '1', ...env },
  });
}

async function eventsOf(rig: Rig): Promise<readonly BuildEvent[]> {
  const text = await readFile(path.join(rig.dir, 'events'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BuildEvent);
}

async function breaksOf(rig: Rig): Promise<readonly string[]> {
  return (await eventsOf(rig)).flatMap((event) =>
    event.kind === 'break-start' ? [event.point] : [],
  );
}

/** Writes a file with a time after that of any copy of it that was made so far. */
async function mend(file: string, body: string): Promise<void> {
  await writeFile(file, `#!/bin/bash\n${body}\n`);
  const later = Date.now() / 1000 + 60;
  await utimes(file, later, later);
}

test('a hook that failed is looked at, mended in its element and tried again', async () => {
  await using rig = await openRig();
  const element = await writeElement(rig);
  await using session = build(rig, 'after-error,before-60-last');
  await session.sees(/At stage after-error\n/);
  await session.sees(
    /'install\.d\/50-fails' of element 'mine' failed with status 3:\n +why it failed/,
  );
  await session.sees(/phase +install, 4 of 10, inside the target\n/);
  await session.sees(/ran +40-first \([\d.]+ s\)\n +next +60-last, .*phase post-install\n/);
  await session.sees(/\[after-error\] .*# /);

  session.types(`${KEYS.up}\r`);
  await session.sees(new RegExp(`${HOOK}\n`));
  await session.sees(/why it failed\n/);
  session.types('greet; umask; echo "here: $PWD" "$(cat /etc/os-release)"\r');
  await session.sees(/<a {2}b>\n0027\nhere: \/ ID=tiny/);
  session.types('sleep 1002 & where\r');
  await session.sees(/At stage after-error\n[\s\S]*# /);
  // What it prints says that it runs: before that, the key would reach the shell.
  session.types("sh -c 'echo sleeps as $$; exec sleep 1000'\r");
  await session.sees(/sleeps as \d+\n/);
  session.types(KEYS.interrupt);
  await session.sees(/# /);

  session.types('retry\r');
  await session.sees(/At stage after-error\n[\s\S]*# /);
  await mend(path.join(element, 'install.d/50-fails'), 'echo mended it');
  session.types('retry\r');
  await session.sees(/Took 'install\.d\/50-fails' as its element has it now\n[\s\S]*mended it\n/);

  await session.sees(
    /exit +run the hook, as its element has it now\n[\s\S]*before-install\.d\/60-last\] .*# /,
  );
  const last = path.join(element, 'install.d/60-last');
  await mend(last, 'echo an older one');
  await utimes(last, 0, 0);
  session.types('exit\r');
  await session.sees(/Took 'install\.d\/60-last'.*\n[\s\S]*an older one\n/);
  assert.equal(await session.status, 0, session.text);
  assert.deepEqual(await breaksOf(rig), ['after-error', 'after-error', 'before-install.d/60-last']);
  assert.deepEqual(await rig.outputs(), ['image.tar']);
});

test('a build stops before and after phases and hooks, and goes on', async () => {
  await using rig = await openRig();
  const element = await writeElement(rig);
  const points = ['before-root', 'before-50-fails', 'after-install.d/60-last', 'after-cleanup'];
  await using session = build(rig, points.join(','));
  await session.sees(/next +10-tiny, .*, phase extra-data\n/);
  await session.sees(/before-root\] .*# /);
  session.types('[ -d "$TARGET_ROOT" ] && echo "root: $TARGET_ROOT"; false\r');
  await session.sees(/\nroot: \/.*\/mnt\n/);
  session.types('exit\r');

  await session.sees(/before-install\.d\/50-fails\] .*# /);
  session.types('greet; retry\r');
  await session.sees(/<a {2}b>\nNothing to retry at before-install\.d\/50-fails/);
  session.types('skip\r');
  await session.sees(/Left out 'install\.d\/50-fails'/);

  await session.sees(/after-install\.d\/60-last\] .*# /);
  await rm(path.join(element, 'install.d/60-last'));
  session.types("sh -c 'kill -STOP $$'\r");
  await session.sees(/Stopped .*\n.*# /);
  session.types('exit 1\r');
  await session.sees(/There are stopped jobs\.\n.*# /);
  session.types('cat /last; retry\r');
  await session.sees(/\n<a {2}b>\n/);
  await session.sees(/Cannot take 'install\.d\/60-last' as its element has it now: ENOENT/);
  await session.sees(/after-install\.d\/60-last\] .*# /);
  session.types(KEYS.endOfInput);

  await session.sees(/after-cleanup\] .*# /);
  session.types('abort\r');
  assert.equal(await session.status, 1, session.text);
  assert.match(session.text, /ERROR: Somebody ended the build at after-cleanup/);
  const again = 'after-install.d/60-last';
  assert.deepEqual(await breaksOf(rig), [
    'before-root',
    'before-install.d/50-fails',
    again,
    again,
    'after-cleanup',
  ]);
  assert.deepEqual(await rig.outputs(), []);
});

const LEAVING: readonly (readonly [keys: string, status: number, last: RegExp])[] = [
  ['exit\r', 1, /ERROR: Hook 'install\.d\/50-fails'/],
  ['abort\r', 1, /ERROR: Hook 'install\.d\/50-fails'/],
  ['skip\r', 0, /Build completed successfully/],
];

for (const [keys, status, last] of LEAVING) {
  test(`${keys.trim()} after an error ends the build with ${status}`, async () => {
    await using rig = await openRig();
    await writeElement(rig);
    await using session = build(rig, 'after-error');
    await session.sees(/\[after-error\] .*# /);
    session.types(keys);
    assert.equal(await session.status, status, session.text);
    assert.match(session.text, last);
  });
}

test('layers stand for what ran before a stop, and nobody waits for whoever stands there', async () => {
  await using rig = await openRig();
  await rig.element('mine', {
    // As long as a part of a phase has to take to be kept by itself.
    'install.d/40-slow': hook('sleep 2.1; echo "slow ran" | tee /slow'),
    'install.d/50-fails': hook('exit 3'),
  });
  await using first = build(rig, 'before-50-fails');
  await first.sees(/slow ran\n[\s\S]*ran +40-slow \([\d.]+ s\)\n[\s\S]*50-fails\] .*# /);
  const other = rig.start('disk-image-create', ARGUMENTS, {
    // As on the terminal: hooks may read it.
    env: { SHELL: '/bin/bash' },
  });
  const ended = await Promise.race([other.exit, setTimeout(60_000, undefined, { ref: false })]);
  assert.ok(ended !== undefined, 'it does not wait for the build that is stopped');
  const { status, stdout } = ended;
  assert.equal(status, 1);
  assert.doesNotMatch(stdout, /slow ran/);
  first.types('abort\r');
  assert.equal(await first.status, 1, first.text);

  await using second = build(rig, 'after-40-slow,before-50-fails');
  await second.sees(/At stage after-install\.d\/40-slow\n[\s\S]*ran +40-slow \(in a layer\)\n/);
  await second.sees(/after-install\.d\/40-slow\] .*# /);
  second.types('cat /slow; exit\r');
  await second.sees(/slow ran\n/);
  await second.sees(/At stage before-install\.d\/50-fails\n[\s\S]*ran +40-slow \(in a layer\)\n/);
  await second.sees(/# /);
  second.types('abort\r');
  assert.equal(await second.status, 1, second.text);
});

test('a shell that an environment file ended is started again by retry', async () => {
  await using rig = await openRig();
  const element = await rig.element('mine', { 'environment.d/10-broken': 'echo $NOWHERE\n' });
  await using session = build(rig, 'after-error');
  await session.sees(
    /Environment file 'environment\.d\/10-broken' [\s\S]*before-|\[after-error\] .*# /,
  );
  await mend(path.join(element, 'environment.d/10-broken'), 'export MENDED=yes');
  session.types('retry\r');
  assert.equal(await session.status, 0, session.text);
});

test('in a target without bash the shell is its sh, with the same commands', async () => {
  await using rig = await openRig();
  await rig.element('mine', {
    'root.d/90-no-bash': hook('cd "$TARGET_ROOT/bin" && rm bash && ln -sf busybox sh'),
  });
  await using session = build(rig, 'before-pre-install,after-pre-install');
  await session.sees(/\[before-pre-install\] # /);
  session.types('where\r');
  await session.sees(/At stage before-pre-install\n[\s\S]*# /);
  session.types('skip; false; exit\r');
  await session.sees(/Nothing to skip at before-pre-install[\s\S]*\[after-pre-install\] # /);
  session.types('exit 1\r');
  assert.equal(await session.status, 1, session.text);
  assert.match(session.text, /ERROR: Somebody ended the build at after-pre-install/);
});

test('a target without any shell gives one on the host', async () => {
  await using rig = await openRig();
  await rig.element('mine', { 'root.d/90-no-shell': hook('rm "$TARGET_ROOT"/bin/{bash,sh}') });
  await using session = build(rig, 'before-pre-install');
  await session.sees(/inside the target; this shell is on the host/);
  await session.sees(/# /);
  session.types('ls "$TMP_MOUNT_PATH/etc"; abort\r');
  await session.sees(/os-release/);
  assert.equal(await session.status, 1, session.text);
});

test('a build whose terminal hangs up in the shell ends and leaves nothing', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  await using session = build(rig, 'before-install');
  await session.sees(/before-install\] .*# /);
  session.types('sleep 1000 & sleep 1001\r');
  await session.sees(/sleep 1001\n/);
  session.hangUp();
  await session.status;
  // The rig asserts that no process, mount or directory is left.
  await rig.assertNothingLeaked();
  assert.deepEqual(await rig.outputs(), []);
});

test('break_cmd runs instead of the shell, also without a terminal, and its status counts', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const env = { break: 'before-40-first,after-error', break_cmd: 'greet; cat /etc/os-release' };
  const failed = await rig.run('disk-image-create', ARGUMENTS, { env });
  assert.equal(failed.status, 1, failed.stderr);
  const lines = failed.stdout.split('\n').map((line) => line.replace(/^.{23} \| /, ''));
  assert.equal(lines.filter((line) => line === '<a  b>').length, 2, failed.stdout);
  assert.match(failed.stderr, /ERROR: Hook 'install\.d\/50-fails'/);
  const refused = await rig.run('disk-image-create', ARGUMENTS, {
    env: { break: 'before-root', break_cmd: 'exit 7' },
  });
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /ERROR: The command 'exit 7' ended the build at before-root: status 7/,
  );
});

for (const input of ['ignore', 'pipe', 'closed'] as const) {
  test(`without a terminal (input: ${input}) a break point ends the build at once with 2`, async () => {
    await using rig = await openRig();
    await writeElement(rig);
    const child = spawn(
      'bash',
      ['-c', `exec "$@" ${input === 'closed' ? '<&-' : ''}`, 'bash', COMMAND, ...ARGUMENTS],
      {
        cwd: rig.out,
        env: rig.environment({ break: 'after-error,before-install.d/50-fails', DIB_X: 'a b' }),
        stdio: [input === 'pipe' ? 'pipe' : 'ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    assert.deepEqual(await once(child, 'close'), [2, null]);
    assert.match(said, /Cannot stop at before-install\.d\/50-fails: there is no terminal/);
    assert.match(
      said,
      /\n {4}break=after-error,before-install\.d\/50-fails .*DIB_X='a b' .*disk-image-create -n -t tar -o image tiny mine\n/,
    );
  });
}

test('in a job of CI with a terminal nobody is asked, and what makes it a job is named', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  await using session = build(rig, 'before-install', { CI: 'true' });
  await session.sees(/before-install: CI says that this is a job, where nobody answers\n/);
  await session.sees(/env -u CI break=before-install .*disk-image-create /);
  assert.equal(await session.status, 2, session.text);
});

test('without a terminal after-error leaves the failure what it is, and says how to look', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const { status, stdout, stderr } = await rig.run('disk-image-create', ARGUMENTS, {
    env: { break: 'after-error' },
  });
  assert.equal(status, 1);
  assert.match(stdout, /Cannot stop at after-error: there is no terminal/);
  assert.match(stderr, /break=after-error .*disk-image-create .*-n -t tar -o image tiny mine\n/);
});

test('an unknown break point is refused before anything is built', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const { status, stderr, events } = await rig.run('disk-image-create', ARGUMENTS, {
    env: { break: 'before-install.d/50-fail' },
  });
  assert.equal(status, 2);
  assert.match(
    stderr,
    /Unknown break point 'before-install\.d\/50-fail'\n[\s\S]*Did you mean before-install\.d\/50-fails/,
  );
  assert.ok(!events.some((event) => event.kind === 'build-start'));
});
