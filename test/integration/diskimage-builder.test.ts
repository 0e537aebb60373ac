import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Rig, text } from '../rig/rig.ts';

async function images(rig: Rig, yaml: string): Promise<string> {
  const file = path.join(rig.dir, 'images.yaml');
  await writeFile(file, yaml);
  return file;
}

/** Two that work and one, between them, whose hook ends with 3. */
async function threeImages(rig: Rig): Promise<string> {
  await rig.element('says', { 'install.d/50-says': hook('echo "I am $WHO"') });
  await rig.element('fails', { 'install.d/50-fails': hook('exit 3') });
  return images(
    rig,
    `
- imagename: one
  types: [tar]
  skip-base: true
  elements: [tiny, says]
  environment: {WHO: the first}
- imagename: two
  elements: [fails]
  types: [tar]
  skip-base: true
- imagename: three
  types: [tar]
  skip-base: true
  elements: [tiny, says]
  environment: {WHO: the third}
- imagename: two
  elements: [tiny]
`,
  );
}

test('--dry-run prints the commands and runs nothing', async () => {
  await using rig = await openRig();
  const { status, stderr } = await rig.run('diskimage-builder', [
    '--dry-run',
    await threeImages(rig),
  ]);
  assert.equal(status, 0);
  assert.equal(
    stderr,
    [
      "'WHO=the first' disk-image-create -o one -t tar -n tiny says",
      'disk-image-create -o two -t tar -n fails tiny',
      "'WHO=the third' disk-image-create -o three -t tar -n tiny says",
      '',
    ].join('\n\n'),
  );
  assert.deepEqual(await rig.outputs(), []);
});

test('images are built at once, their output apart; one that fails does not stop the others', async () => {
  await using rig = await openRig();
  const logs = path.join(rig.dir, 'logs');
  const file = await threeImages(rig);
  const { status, stdout, stderr } = await rig.run('diskimage-builder', [
    ...['-j', '3', '--logs', logs],
    file,
  ]);
  assert.equal(status, 1);
  assert.deepEqual(await rig.outputs(), ['one.tar', 'three.tar']);
  assert.match(stdout, /^one \| .*I am the first$/m);
  assert.match(stdout, /^three \| .*I am the third$/m);
  assert.match(
    stderr,
    /^one {4}built \(.* s\)\ntwo {4}failed with status 1 \(.*\)\nthree {2}built/m,
  );
  assert.match(await text(logs, 'two.log'), /50-fails/);
  assert.doesNotMatch(await text(logs, 'one.log'), /third|50-fails/);
});

test('--stop-on-failure starts no image after one that failed', async () => {
  await using rig = await openRig();
  const file = await threeImages(rig);
  const { status, stderr } = await rig.run('diskimage-builder', ['--stop-on-failure', file]);
  assert.equal(status, 1);
  assert.deepEqual(await rig.outputs(), ['one.tar']);
  assert.match(stderr, /^three {2}not started$/m);
});

test('a file that cannot be used ends with 2 before anything is built', async () => {
  await using rig = await openRig();
  const file = await images(rig, '- imagename: a\n  elemnts: [vm]\n');
  const { status, stderr } = await rig.run('diskimage-builder', [file]);
  assert.equal(status, 2);
  assert.match(stderr, /Unknown property 'elemnts': did you mean 'elements'\?\n.*images\.yaml:2:3/);
  const missing = await rig.run('diskimage-builder', [path.join(rig.dir, 'none.yaml')]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /Cannot read the image file .*none\.yaml.*no such file/);
  const binary = path.join(rig.dir, 'binary.yaml');
  await writeFile(binary, Buffer.from([0x2d, 0x20, 0xff, 0xfe]));
  assert.match((await rig.run('diskimage-builder', [binary])).stderr, /it is not UTF-8 text/);
});

test('a signal ends the builds, and nothing is left', async () => {
  await using rig = await openRig();
  await rig.element('waits', { 'extra-data.d/50-waits': hook('touch "$MARKER"; sleep 1000') });
  const file = await images(
    rig,
    '- {imagename: a, skip-base: true, types: [tar], elements: [tiny, waits]}',
  );
  const marker = path.join(rig.dir, 'marker');
  const started = rig.start('diskimage-builder', ['-j', '2', file], { env: { MARKER: marker } });
  while (!existsSync(marker)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.kill(started.pid, 'SIGTERM');
  assert.equal((await started.exit).status, 143);
  assert.deepEqual(await rig.outputs(), []);
});
