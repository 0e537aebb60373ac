/** source-repositories in whole builds of a small image. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Result, type Rig, text } from '../rig/rig.ts';
import { serve } from '../rig/small-server.ts';
import { git, makeRepository } from '../rig/source-repository.ts';

/** Builds an archive `name`.tar of the small image with `elements`. */
function build(rig: Rig, name: string, elements: readonly string[]): Promise<Result> {
  const args = ['-n', '-t', 'tar', '-o', name, 'tiny-packages', ...elements];
  return rig.run('disk-image-create', args, { env: { DISTRO_NAME: 'tiny' } });
}

function assertDone(result: Result): void {
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-4000));
}

function fromTar(rig: Rig, name: string, file: string): string {
  return execFileSync('tar', ['-xOf', path.join(rig.out, name), `./${file}`]).toString();
}

test('a build has sources of every type, its manifests name them, and nothing else is left', async () => {
  await using rig = await openRig();
  const one = path.join(rig.dir, 'one');
  await makeRepository(one);
  const body = execFileSync('tar', ['-C', one, '-cz', 'file']);
  await using server = await serve(() => ({ status: 200, body }));
  await rig.element('mine', {
    'element-deps': 'source-repositories\n',
    'source-repository-mine': [
      `git git /opt/git ${one} stable`,
      `tar tar /opt/tar ${server.url}/a.tar.gz .`,
      `file file /opt/file.tar.gz ${server.url}/a.tar.gz`,
      'package package',
    ].join('\n'),
    'install.d/50-look': hook('[ "$(cat /opt/git/file)" = stable ]'),
  });
  assertDone(await build(rig, 'image', ['mine']));
  assert.equal(fromTar(rig, 'image.tar', 'opt/git/file'), 'stable\n');
  assert.equal(fromTar(rig, 'image.tar', 'opt/tar/file'), 'master\n');
  assert.equal(
    fromTar(rig, 'image.tar', 'etc/dib-source-repositories'),
    '/opt/git\n/opt/tar\n/opt/file.tar.gz\n',
  );
  assert.equal(
    await text(rig.out, 'image.d/dib-manifests/dib-manifest-git-image'),
    `git git /opt/git ${one} ${git(one, 'rev-parse', 'stable')}\n`,
  );
});

test('a bad line ends the build and is named by element, file and line', async () => {
  await using rig = await openRig();
  const mine = await rig.element('mine', {
    'element-deps': 'source-repositories\n',
    'source-repository-mine': '# what we need\nmine git\n',
  });
  const result = await build(rig, 'image', ['mine']);
  assert.equal(result.status, 1);
  const said = result.stdout + result.stderr;
  assert.ok(said.includes(`${mine}/source-repository-mine:2: 'mine' has no destination`), said);
  assert.deepEqual(await rig.outputs(), []);
});

test('two builds at once share one cache, and each has its own ref', async () => {
  await using rig = await openRig();
  const one = path.join(rig.dir, 'one');
  await makeRepository(one);
  const refs = ['stable', 'v1'];
  for (const ref of refs) {
    await rig.element(ref, {
      'element-deps': 'source-repositories\n',
      'source-repository-one': `one git /opt/one ${one} ${ref}\n`,
    });
  }
  const results = await Promise.all(refs.map((ref) => build(rig, ref, [ref])));
  for (const result of results) assertDone(result);
  assert.equal(fromTar(rig, 'stable.tar', 'opt/one/file'), 'stable\n');
  assert.equal(fromTar(rig, 'v1.tar', 'opt/one/file'), 'first\n');
});
