/** A build in CI: a log that folds, a failure that is shown, events that are what the schema says. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { assertValidEvents } from '../rig/events-schema.ts';
import { hook, openRig, type Rig } from '../rig/rig.ts';

const BUILD = ['-n', '-t', 'tar,raw', '-o', 'image', 'tiny', 'greeter'];

async function eventLines(rig: Rig): Promise<readonly string[]> {
  const text = await readFile(path.join(rig.dir, 'events-1.jsonl'), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}

test('on GitLab every group that is opened is closed, and every event is what the schema says', async () => {
  await using rig = await openRig();
  await rig.element('greeter', { 'install.d/10-greet': hook('echo "good-morning $DIB_ARGS"') });
  const env = { CI: 'true', GITLAB_CI: 'true' };
  const { status, stdout, stderr } = await rig.run('disk-image-create', BUILD, { env });
  assert.equal(status, 0, stdout + stderr);
  const marks = [
    ...stdout.replaceAll('\u001b[0K', '').matchAll(/^section_(start|end):\d+:([\w.-]+)/gm),
  ].map(([, what, name]) => `${what} ${name}`);
  const starts = marks.filter((mark) => mark.startsWith('start '));
  // One after the other: no group is in another one.
  assert.deepEqual(
    marks,
    starts.flatMap((start) => [start, start.replace('start', 'end')]),
  );
  assert.ok(
    starts.some((start) => /^start phase-install-\d+$/.test(start)),
    marks.join(', '),
  );
  assert.ok(
    starts.some((start) => /^start step-write-tar-\d+$/.test(start)),
    marks.join(', '),
  );
  await assertValidEvents(await eventLines(rig));

  // The images are no worse for it, but whoever reads the file has to know.
  const full = await rig.run('disk-image-create', ['--events', '/dev/full', ...BUILD], { env });
  assert.equal(full.status, 1, full.stdout + full.stderr);
  assert.match(
    full.stderr,
    /^ERROR: Cannot complete the events file '\/dev\/full': ENOSPC[\s\S]*the build itself is done/m,
  );
  assert.match(full.stdout, /Reusing install\.d/, 'where the events go is no part of the image');
  assert.match(full.stdout, /^Built /m);
});

test('on GitHub a failing hook is an annotation outside of its group, and nobody is asked', async () => {
  await using rig = await openRig();
  await rig.element('greeter', { 'install.d/10-greet': hook('echo last-words; exit 7') });
  const { status, stdout, stderr } = await rig.run('disk-image-create', BUILD, {
    env: { CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: rig.elements },
  });
  assert.equal(status, 1, stdout + stderr);
  const lines = stdout.split('\n').filter((line) => line.startsWith('::'));
  assert.match(lines.at(-3) ?? '', /^::group::Phase install: \d+ hooks$/);
  assert.equal(lines.at(-2), '::endgroup::');
  assert.match(
    lines.at(-1) ?? '',
    /^::error file=greeter\/install\.d\/10-greet,title=disk-image-create::.*status 7.*last-words/,
  );
  await assertValidEvents(await eventLines(rig));
});
