/** dibkit unpack-image on archives as real tools write them, and on bad ones. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openRig, type Result, type Rig, text } from '../rig/rig.ts';

/** Files of a layer by name; null is a directory, `->` in front a symbolic link. */
type Layer = Readonly<Record<string, string | null>>;

async function makeLayer(rig: Rig, name: string, layer: Layer): Promise<string> {
  const tree = path.join(rig.dir, `${name}.tree`);
  await mkdir(tree, { recursive: true });
  for (const [file, content] of Object.entries(layer)) {
    const place = path.join(tree, file);
    await mkdir(path.dirname(place), { recursive: true });
    if (content === null) {
      await mkdir(place, { recursive: true });
    } else if (content.startsWith('->')) {
      await symlink(content.slice(2), place);
    } else {
      await writeFile(place, content);
    }
  }
  const tar = path.join(rig.dir, `${name}.tar`);
  execFileSync('tar', ['-C', tree, '--numeric-owner', '-cf', tar, '.']);
  return tar;
}

interface ImageOptions {
  readonly compress?: string;
  /** Another digest for each layer than it has. */
  readonly wrongDigest?: boolean;
  readonly manifest?: boolean;
  /** How a layer is named in the archive. */
  readonly nameOf?: (digest: string, index: number) => string;
}

/** An archive of an image with these layers, lowest first. */
async function makeImage(rig: Rig, layers: readonly Layer[], options: ImageOptions = {}) {
  const dir = path.join(rig.dir, 'image');
  const nameOf = options.nameOf ?? ((digest: string) => `${digest}.tar`);
  const names: string[] = [];
  const digests: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const content = await readFile(await makeLayer(rig, `layer${index}`, layer));
    const digest = createHash('sha256').update(content).digest('hex');
    const name = nameOf(digest, index);
    await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
    await writeFile(path.join(dir, name), content);
    names.push(name);
    digests.push(`sha256:${options.wrongDigest ? 'f'.repeat(64) : digest}`);
  }
  await mkdir(path.join(dir, 'legacy'), { recursive: true });
  await symlink(`../${names[0]}`, path.join(dir, 'legacy/layer.tar')).catch(() => {});
  if (options.manifest !== false) {
    await writeFile(path.join(dir, 'c.json'), JSON.stringify({ rootfs: { diff_ids: digests } }));
    const manifest = [{ Config: 'c.json', RepoTags: ['a:latest'], Layers: names }];
    await writeFile(path.join(dir, 'manifest.json'), JSON.stringify(manifest));
  }
  const archive = path.join(rig.dir, 'image.tar');
  execFileSync('tar', [
    '-C',
    dir,
    ...(options.compress ? [options.compress] : []),
    '-cf',
    archive,
    '.',
  ]);
  return archive;
}

async function unpack(rig: Rig, archive: string): Promise<{ root: string; result: Result }> {
  const root = path.join(rig.dir, 'root');
  await mkdir(root);
  return { root, result: await rig.run('dibkit', ['unpack-image', archive, root]) };
}

const BASE: Layer = {
  'etc/motd': 'hello',
  'etc/hosts': 'local',
  'usr/bin/tool': 'old',
  bin: '->usr/bin',
  'var/cache/a': '1',
  'var/cache/b': '2',
  'opt/thing/file': 'x',
};

test('one layer in the layout of skopeo, xz: the tree is there, and nothing else', async () => {
  await using rig = await openRig();
  const { root, result } = await unpack(rig, await makeImage(rig, [BASE], { compress: '-J' }));
  assert.equal(result.status, 0, result.stderr);
  assert.deepEqual((await readdir(root)).sort(), ['bin', 'etc', 'opt', 'usr', 'var']);
  assert.equal(await text(root, 'bin/tool'), 'old');
});

for (const [what, nameOf] of [
  ['docker before 25', (_: string, index: number) => `id${index}/layer.tar`],
  ['docker 25', (digest: string) => `blobs/sha256/${digest}`],
] as const) {
  test(`layers in the layout of ${what} are read`, async () => {
    await using rig = await openRig();
    const layers = [BASE, { 'etc/motd': 'new' }];
    const { root, result } = await unpack(rig, await makeImage(rig, layers, { nameOf }));
    assert.equal(result.status, 0, result.stderr);
    assert.equal(await text(root, 'etc/motd'), 'new');
    assert.equal(await text(root, 'etc/hosts'), 'local');
  });
}

test('an archive without a manifest is read when it has one layer', async () => {
  await using rig = await openRig();
  const { root, result } = await unpack(rig, await makeImage(rig, [BASE], { manifest: false }));
  assert.equal(result.status, 0, result.stderr);
  assert.equal(await text(root, 'etc/motd'), 'hello');
});

test('an upper layer takes away files, whole directories, and what it replaces', async () => {
  await using rig = await openRig();
  const upper: Layer = {
    'etc/.wh.motd': '',
    'var/cache/.wh..wh..opq': '',
    'var/cache/c': '3',
    'bin/.wh.tool': '',
    'opt/thing': 'now a file',
  };
  const { root, result } = await unpack(rig, await makeImage(rig, [BASE, upper]));
  assert.equal(result.status, 0, result.stderr);
  assert.deepEqual(await readdir(path.join(root, 'etc')), ['hosts']);
  assert.deepEqual(await readdir(path.join(root, 'var/cache')), ['c']);
  assert.equal(await text(root, 'opt/thing'), 'now a file');
});

test('a whiteout behind a link reaches nothing outside of the root', async () => {
  await using rig = await openRig();
  const victim = path.join(rig.dir, 'victim');
  await writeFile(victim, 'precious');
  const layers: Layer[] = [{ out: `->${rig.dir}` }, { 'out/.wh.victim': '' }];
  await unpack(rig, await makeImage(rig, layers));
  assert.equal(await readFile(victim, 'utf8'), 'precious');
  assert.ok((await lstat(path.join(rig.dir, 'image'))).isDirectory());
});

test('a layer with another digest is refused, and says which', async () => {
  await using rig = await openRig();
  const { root, result } = await unpack(rig, await makeImage(rig, [BASE], { wrongDigest: true }));
  assert.equal(result.status, 4);
  assert.match(result.stderr, /layer '[0-9a-f]{64}\.tar' has the digest [0-9a-f]{64}, not f{64}/);
  assert.deepEqual(await readdir(root), []);
});

test('an archive that was cut off is refused', async () => {
  await using rig = await openRig();
  const archive = await makeImage(rig, [BASE], { compress: '-J' });
  await truncate(archive, 400);
  const { root, result } = await unpack(rig, archive);
  assert.equal(result.status, 4);
  assert.match(result.stderr, /xz failed with status 1: it is damaged or cut off/);
  assert.deepEqual(await readdir(root), []);
});

test('a web page in place of the archive is called one', async () => {
  await using rig = await openRig();
  const archive = path.join(rig.dir, 'image.tar.xz');
  await writeFile(archive, '<html>404</html>');
  const { result } = await unpack(rig, archive);
  assert.equal(result.status, 4);
  assert.match(result.stderr, /it is a web page/);
});

/** A verified archive in the cache. */
async function cached(rig: Rig, archive: string): Promise<string> {
  const sha256 = createHash('sha256')
    .update(await readFile(archive))
    .digest('hex');
  const args = ['--url', `file://${archive}`, '--sha256', sha256, 'image.tar'];
  const { status, stderr } = await rig.run('dibkit', ['fetch', ...args]);
  assert.equal(status, 0, stderr);
  return path.join(rig.cache, 'image.tar');
}

async function unpackKeeping(rig: Rig, archive: string, name: string) {
  const root = path.join(rig.dir, name);
  await mkdir(root);
  const args = ['unpack-image', '--keep', path.join(rig.cache, 'kept'), archive, root];
  const { status, stdout, stderr } = await rig.run('dibkit', args);
  assert.equal(status, 0, stderr);
  return { said: stdout, greeting: await text(root, 'etc/greeting') };
}

test('unpack-image decompresses a verified image once', async () => {
  await using rig = await openRig();
  const keep = path.join(rig.cache, 'kept');
  const made = await makeImage(rig, [{ 'etc/greeting': 'one' }], { compress: '-J' });
  const archive = await cached(rig, made);
  assert.match((await unpackKeeping(rig, archive, 'first')).said, /: 1 layer\n$/);
  const second = await unpackKeeping(rig, archive, 'second');
  assert.match(second.said, /decompressed before/);
  assert.equal(second.greeting, 'one');

  // Another content under the name of the kept layer is not trusted.
  const [kept = ''] = (await readdir(keep)).filter((name) => name.endsWith('.zst'));
  await writeFile(path.join(keep, kept), 'something else');
  const third = await unpackKeeping(rig, archive, 'third');
  assert.match(third.said, /: 1 layer\n$/);
  assert.match((await unpackKeeping(rig, archive, 'fourth')).said, /decompressed before/);

  // Nor is the layer of the archive that was there before; it is removed.
  const newer = await cached(rig, await makeImage(rig, [{ 'etc/greeting': 'two' }]));
  const fifth = await unpackKeeping(rig, newer, 'fifth');
  assert.deepEqual([fifth.greeting, /: 1 layer\n$/.test(fifth.said)], ['two', true]);
  assert.equal((await readdir(keep)).filter((name) => name.endsWith('.zst')).length, 1);
});

test('unpack-image keeps nothing of an image that nobody has verified, or of several layers', async () => {
  await using rig = await openRig();
  const single = await makeImage(rig, [{ 'etc/greeting': 'one' }]);
  await unpackKeeping(rig, single, 'single');
  const layers = [{ 'etc/greeting': 'one' }, { 'etc/greeting': 'two' }];
  const several = await cached(rig, await makeImage(rig, layers));
  assert.equal((await unpackKeeping(rig, several, 'several')).greeting, 'two');
  assert.deepEqual(await readdir(path.join(rig.cache, 'kept')), []);
});
