/** `dibkit clean` removes what nobody uses, and nothing else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openPhone } from '../rig/phone.ts';
import { openRig, type Rig } from '../rig/rig.ts';

/** A clock that is an hour ahead stands for an hour that has passed. */
const LATER = [
  'env',
  'NODE_OPTIONS=--import=data:text/javascript,const%20n=Date.now;Date.now=()=>n()+36e5',
];

async function makeLeftovers(rig: Rig): Promise<void> {
  for (const directory of [
    path.join(rig.tmp, 'dib_build.aB3dE6gH/mnt/etc'),
    path.join(rig.tmp, 'dib_image.aB3dE6gH'),
    path.join(rig.tmp, 'dib_build.x'),
    path.join(rig.tmp, 'mine'),
    path.join(rig.out, '.image.dib-aB3dE6gH'),
  ]) {
    await mkdir(directory, { recursive: true });
  }
  const identity = `${'0'.repeat(32)}-1-4242-1`;
  await writeFile(path.join(rig.cache, `file.dib-partial.${identity}.1`), 'half');
  await writeFile(path.join(rig.cache, `file.dib-partial.${identity}.1.json`), '{}');
  await writeFile(path.join(rig.cache, 'file'), 'whole');
}

async function names(rig: Rig): Promise<readonly string[]> {
  const all = await Promise.all([rig.tmp, rig.out, rig.cache].map((each) => readdir(each)));
  return all.flat().sort();
}

test('dibkit clean removes what is left and old, and says so beforehand', async () => {
  await using rig = await openRig();
  await makeLeftovers(rig);
  const before = await names(rig);

  const young = await rig.run('dibkit', ['clean']);
  assert.equal(young.status, 0, young.stderr);
  assert.match(
    young.stdout,
    /Keeping .*dib_build\.aB3dE6gH: it was made or changed a moment ago\n/,
  );
  assert.deepEqual(await names(rig), before);

  const dry = await rig.run('dibkit', ['clean', '--dry-run'], { through: LATER });
  assert.equal(dry.status, 0, dry.stderr);
  assert.equal([...dry.stdout.matchAll(/^Would remove /gm)].length, 4, dry.stdout);
  assert.deepEqual(await names(rig), before);

  const done = await rig.run('dibkit', ['clean'], { through: LATER });
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual(await names(rig), ['dib_build.x', 'file', 'mine']);
  const again = await rig.run('dibkit', ['clean'], { through: LATER });
  assert.equal(again.stdout, 'Nothing is left of any build\n');
  execFileSync('rm', ['-r', path.join(rig.tmp, 'dib_build.x'), path.join(rig.tmp, 'mine')]);
});

test('dibkit clean leaves a build that runs alone, and what is mounted', async () => {
  await using phone = await openPhone();
  await using rig = await openRig();
  await rig.element('mine', { 'post-root.d/50-call': phone.hook('call') });
  const started = rig.start('disk-image-create', [
    '-n',
    '-t',
    'tar',
    '-o',
    'image',
    'tiny',
    'mine',
  ]);
  const call = await phone.next('call');
  const mounted = path.join(rig.tmp, 'dib_build.aB3dE6gH/mnt');
  await mkdir(mounted, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mounted]);
  try {
    const before = await names(rig);
    const ran = await rig.run('dibkit', ['clean'], { through: LATER });
    assert.equal(ran.status, 0, ran.stderr);
    assert.deepEqual(await names(rig), before);
    assert.match(ran.stdout, /dib_build\.aB3dE6gH: something is mounted there: umount .*mnt\n/);
    assert.equal([...ran.stdout.matchAll(/the process \d+ uses it/g)].length, 3, ran.stdout);
  } finally {
    execFileSync('umount', [mounted]);
    execFileSync('rm', ['-r', path.dirname(mounted)]);
  }
  call.exit(0);
  assert.equal((await started.exit).status, 0);
});
