/** Killed at any moment, a build leaves nothing behind and replaces nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { PHASES } from '../../src/phases/table.ts';
import { openPhone } from '../rig/phone.ts';
import { hook, openRig, type Rig, type Started, text } from '../rig/rig.ts';

const TYPES = 'tar,tgz,qcow2,raw';

/** SIGKILL to the process, and to everything that shares its process group. */
const VICTIMS = ['process', 'group'] as const;

/** Steps that every build with `TYPES` takes, in the words of its events. */
async function stepsOfABuild(): Promise<readonly string[]> {
  await using rig = await openRig();
  const { status, events, stderr } = await build(rig).exit;
  assert.equal(status, 0, stderr);
  const steps = events.flatMap((event) => (event.kind === 'step-start' ? [event.step] : []));
  return [...new Set(steps)];
}

function build(rig: Rig, ...elements: string[]): Started {
  return buildWith(rig, {}, elements);
}

function buildWith(
  rig: Rig,
  env: Readonly<Record<string, string>>,
  elements: readonly string[],
): Started {
  const argv = ['-n', '-t', TYPES, '-o', 'image', 'tiny', ...elements];
  return rig.start('disk-image-create', argv, { env });
}

/** The call of a tool at which each step stops: it, or one of those that follow, comes to it. */
const STOPS_AT: Readonly<Record<string, readonly [tool: string, words: string]>> = {
  'reuse images': ['mke2fs', ''],
  disk: ['mke2fs', ''],
  'write tar, tgz': ['tar', '--sort=name'],
  'write qcow2': ['qemu-img', 'convert'],
};

/** Starts a build that comes to `step` and no further than a tool that never ends. */
async function buildUpTo(rig: Rig, step: string): Promise<Started> {
  const stop = STOPS_AT[step];
  if (stop === undefined) {
    return build(rig);
  }
  const [tool, words] = stop;
  const stub = `#!/bin/sh
case "$*" in *${words}*) exec sleep 1000 ;; esac
PATH=\${PATH#*:}
exec ${tool} "$@"
`;
  const stubs = path.join(rig.dir, 'stubs');
  await mkdir(stubs);
  await writeFile(path.join(stubs, tool), stub, { mode: 0o755 });
  return buildWith(rig, { PATH: `${stubs}:${rig.environment().PATH}` }, []);
}

function signal(started: Started, name: NodeJS.Signals, victim: 'process' | 'group'): void {
  process.kill(victim === 'group' ? -started.pid : started.pid, name);
}

/** An artifact of an earlier build. */
async function placeOldImage(rig: Rig): Promise<void> {
  await writeFile(path.join(rig.out, 'image.qcow2'), 'old');
}

async function assertOnlyOldImage(rig: Rig): Promise<void> {
  await rig.assertNothingLeaked();
  assert.deepEqual(await rig.outputs(), ['image.qcow2']);
  assert.equal(await text(rig.out, 'image.qcow2'), 'old');
}

/** Images are moved into place one by one: what has its name is whole, the old one included. */
async function assertWholeImages(rig: Rig): Promise<void> {
  await rig.assertNothingLeaked();
  const images = await rig.outputs();
  assert.ok(images.some((name) => name.endsWith('.qcow2')));
  for (const name of images) {
    const file = path.join(rig.out, name);
    if (name.endsWith('.tar') || name.endsWith('.tgz')) {
      execFileSync('tar', ['-tf', file], { stdio: 'ignore' });
    } else if (name.endsWith('.qcow2') && (await stat(file)).size > 'old'.length) {
      execFileSync('qemu-img', ['check', '-q', file]);
    } else if (name.endsWith('.raw')) {
      execFileSync('e2fsck', ['-f', '-n', file], { stdio: 'ignore' });
    } else {
      assert.equal(await text(rig.out, name), 'old');
    }
  }
}

/** Starts a build whose hook in `phase` waits for us, and returns it while that hook runs. */
async function withHookRunning(
  phase: string,
  act: (rig: Rig, started: Started) => Promise<void>,
): Promise<void> {
  await using phone = await openPhone();
  await using rig = await openRig();
  await placeOldImage(rig);
  await rig.element('caller', { [`${phase}.d/50-call`]: phone.hook(phase) });
  const started = build(rig, 'caller');
  const ended = started.exit.then(({ stdout, stderr }) => {
    throw new Error(`The build ended before its ${phase} hook called\n${stdout}${stderr}`);
  });
  await Promise.race([phone.next(phase), ended]);
  ended.catch(() => {});
  await act(rig, started);
}

for (const victim of VICTIMS) {
  for (const phase of PHASES) {
    test(`SIGKILL of the ${victim} in a ${phase.name} hook leaves nothing`, async () => {
      await withHookRunning(phase.name, async (rig, started) => {
        signal(started, 'SIGKILL', victim);
        assert.equal((await started.exit).signal, 'SIGKILL');
        await assertOnlyOldImage(rig);
      });
    });
  }

  test(`SIGKILL of the ${victim} in each step after the phases leaves nothing`, async (t) => {
    const steps = await stepsOfABuild();
    // The last one moves the images into place: that it was begun is seen in them.
    assert.deepEqual(steps.slice(0, -1), Object.keys(STOPS_AT));
    for (const step of steps) {
      await t.test(step, async () => {
        await using rig = await openRig();
        await placeOldImage(rig);
        const started = await buildUpTo(rig, step);
        await started.event((event) => event.kind === 'step-start' && event.step === step);
        signal(started, 'SIGKILL', victim);
        await started.exit;
        await (step === steps.at(-1) ? assertWholeImages(rig) : assertOnlyOldImage(rig));
      });
    }
  });

  test(`SIGKILL of the ${victim} at its first event leaves nothing`, async () => {
    await using rig = await openRig();
    await placeOldImage(rig);
    const started = build(rig);
    await started.event((event) => event.kind === 'build-start');
    signal(started, 'SIGKILL', victim);
    assert.equal((await started.exit).signal, 'SIGKILL');
    await assertOnlyOldImage(rig);
  });
}

const POLITE = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

for (const [name, expected] of POLITE) {
  for (const phase of ['root', 'install']) {
    test(`${name} in a ${phase} hook ends the build with ${expected} and leaves nothing`, async () => {
      await withHookRunning(phase, async (rig, started) => {
        signal(started, name, 'process');
        const { status, events, stdout, stderr } = await started.exit;
        assert.equal(status, expected, stdout + stderr);
        const last = events.at(-1);
        assert.equal(last?.kind === 'build-end' ? last.failure?.kind : undefined, 'interrupted');
        await assertOnlyOldImage(rig);
      });
    });
  }
}

test('SIGINT while --explain asks a fingerprint ends it with 130 and leaves nothing', async () => {
  await using phone = await openPhone();
  await using rig = await openRig();
  await rig.element('asking', {
    'fingerprint.d/root/50-ask': phone.hook('ask'),
    'root.d/50-none': hook('true'),
  });
  const started = rig.start('disk-image-create', ['--explain', '-n', 'tiny', 'asking']);
  await phone.next('ask');
  process.kill(started.pid, 'SIGINT');
  const { status, stdout, stderr } = await started.exit;
  assert.equal(status, 130, stderr);
  assert.equal(stdout, '');
  assert.deepEqual(await readdir(rig.tmp), []);
});
