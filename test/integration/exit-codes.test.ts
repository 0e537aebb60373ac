/** The status of a build whose hook called one of our commands: why that failed is why the build does. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { acquireLock } from '../../src/cache/lock.ts';
import { hook, openRig, type Rig, type RunOptions } from '../rig/rig.ts';

const OTHER_DIGEST = '0'.repeat(64);
const NOT_THERE = 'http://127.0.0.1:1/file';

async function failing(rig: Rig, body: string, options: RunOptions = {}) {
  await rig.element('wanting', { 'root.d/05-wanting': hook(body) });
  const result = await rig.run(
    'disk-image-create',
    ['-n', '-t', 'tar', 'tiny', 'wanting'],
    options,
  );
  assert.deepEqual(await rig.outputs(), []);
  return result;
}

test('4: a file is not what was published', async () => {
  await using rig = await openRig();
  const file = path.join(rig.dir, 'file');
  await writeFile(file, 'content');
  const fetch = `dib-fetch --url file://${file} --sha256 ${OTHER_DIGEST} cached`;
  const result = await failing(rig, fetch);
  assert.equal(result.status, 4, result.stderr);
  assert.match(result.stderr, /^ {2}cause +Cannot .*cached/m);

  // The hook has the last word: it got over it, and failed for a reason of its own.
  const own = await failing(rig, `${fetch} || exit 1`);
  assert.equal(own.status, 1, own.stderr);
  const afterwards = await failing(rig, 'exit 4');
  assert.equal(afterwards.status, 1, afterwards.stderr);
});

test('5: somebody else has been fetching the file for too long', async () => {
  await using rig = await openRig();
  const context = { emit: () => {}, signal: new AbortController().signal };
  await using _lock = await acquireLock(path.join(rig.cache, 'cached'), {}, context);
  const env = { DIB_LOCK_WAIT: '0' };
  const fetch = `dib-fetch --url ${NOT_THERE} --sha256 ${OTHER_DIGEST} cached`;
  const result = await failing(rig, fetch, { env });
  assert.equal(result.status, 5, result.stderr);
});

test('3: the host lacks the program that reads an archive', async () => {
  await using rig = await openRig();
  await writeFile(path.join(rig.dir, 'file'), 'content');
  execFileSync('tar', ['-C', rig.dir, '-cJf', path.join(rig.dir, 'archive.tar.xz'), 'file']);
  const unpack = `dib-unpack-image ${rig.dir}/archive.tar.xz "$TARGET_ROOT"`;
  // Whatever of the kind PATH has.
  const hide = `for tool in /usr/bin/xz /usr/bin/pixz /usr/bin/xzdec; do
    if [ -e "$tool" ]; then mount --bind /dev/null "$tool"; fi
  done
  exec "$@"`;
  const through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hide, 'sh'];
  const result = await failing(rig, unpack, { through });
  assert.equal(result.status, 3, result.stderr);
});
