import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fileMember,
  layersOf,
  type Member,
  type Members,
  memberName,
  onlyLayer,
  parseDiffIds,
  parseManifest,
} from '../../../src/cache/docker-archive.ts';
import { isMarker, removalFor } from '../../../src/cache/docker-archive-whiteouts.ts';
import { Failed } from '../../../src/events/failure.ts';

const ARCHIVE = 'image.tar.xz';

/** A plain tar, as far as its first bytes go. */
function tarMember(sha256: string): Member {
  const head = Buffer.alloc(512);
  head.write('ustar', 257);
  return { kind: 'file', file: `/spool/${sha256}`, sha256, head };
}

const SKOPEO: Members = new Map<string, Member>([
  ['aa.tar', tarMember('aa')],
  ['legacy/layer.tar', { kind: 'link', target: '../aa.tar' }],
  ['hard/layer.tar', { kind: 'link', target: '/aa.tar' }],
  ['loop', { kind: 'link', target: 'loop' }],
  ['escape', { kind: 'link', target: '../../etc/shadow' }],
]);

function isVerify(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof Failed &&
    error.failure.kind === 'verify' &&
    error.failure.message.includes(ARCHIVE) &&
    pattern.test(error.failure.message);
}

for (const [raw, name] of [
  ['./manifest.json', 'manifest.json'],
  ['id/', 'id'],
  ['blobs/sha256/aa', 'blobs/sha256/aa'],
  ['../up', undefined],
  ['a/../../up', undefined],
  ['/etc/passwd', undefined],
] as const) {
  test(`memberName() makes ${name ?? 'nothing'} of ${raw}`, () => {
    assert.equal(memberName(raw), name);
  });
}

for (const name of ['aa.tar', 'legacy/layer.tar', 'hard/layer.tar']) {
  test(`fileMember() finds the file of ${name}`, () => {
    assert.equal(fileMember(SKOPEO, name, ARCHIVE).sha256, 'aa');
  });
}

for (const name of ['loop', 'escape', 'missing']) {
  test(`fileMember() refuses ${name}`, () => {
    assert.throws(() => fileMember(SKOPEO, name, ARCHIVE), isVerify(/.'/));
  });
}

test('parseManifest() reads the config and the layers, lowest first', () => {
  const text = JSON.stringify([{ Config: 'c.json', RepoTags: ['a:b'], Layers: ['1', '2'] }]);
  assert.deepEqual(parseManifest(text, ARCHIVE), { config: 'c.json', layers: ['1', '2'] });
});

for (const [text, why] of [
  ['{', /not JSON/],
  ['[]', /no image/],
  ['{}', /no image/],
  ['[{"Config":"c"}]', /no layers/],
  ['[{"RepoTags":["a:1"],"Layers":["x"]},{"RepoTags":["b:2"]}]', /2 images \(a:1, b:2\)/],
] as const) {
  test(`parseManifest() says ${why.source} of ${text}`, () => {
    assert.throws(() => parseManifest(text, ARCHIVE), isVerify(why));
  });
}

test('onlyLayer() takes the tar at the top, as openEuler does', () => {
  assert.equal(onlyLayer(SKOPEO, ARCHIVE), 'aa.tar');
});

test('onlyLayer() takes the one layer.tar of older archives', () => {
  const members = new Map([['id/layer.tar', tarMember('aa')]]);
  assert.equal(onlyLayer(members, ARCHIVE), 'id/layer.tar');
});

test('onlyLayer() refuses to guess an order, and what is no image', () => {
  const two = new Map([
    ['a/layer.tar', tarMember('aa')],
    ['b/layer.tar', tarMember('bb')],
  ]);
  assert.throws(() => onlyLayer(two, ARCHIVE), isVerify(/2 layers in no known order/));
  assert.throws(() => onlyLayer(new Map(), ARCHIVE), isVerify(/no container image/));
});

test('layersOf() accepts layers with the digests of the configuration', () => {
  const diffIds = parseDiffIds('{"rootfs":{"diff_ids":["sha256:aa"]}}', ARCHIVE);
  const [layer] = layersOf(SKOPEO, { layers: ['./aa.tar'], diffIds }, ARCHIVE);
  assert.equal(layer?.file, '/spool/aa');
});

test('layersOf() refuses a layer with another digest, and a missing one', () => {
  const layers = ['aa.tar'];
  assert.throws(
    () => layersOf(SKOPEO, { layers, diffIds: ['sha256:bb'] }, ARCHIVE),
    isVerify(/not bb/),
  );
  const two = ['sha256:aa', 'sha256:bb'];
  assert.throws(
    () => layersOf(SKOPEO, { layers, diffIds: two }, ARCHIVE),
    isVerify(/1 layers.* of 2/),
  );
});

test('layersOf() does not compare a compressed layer with the digest of its content', () => {
  const head = Buffer.from('\x1f\x8b\x08', 'latin1');
  const members: Members = new Map([
    ['x', { kind: 'file', file: '/spool/x', sha256: 'cc', head } as const],
  ]);
  assert.equal(layersOf(members, { layers: ['x'], diffIds: ['sha256:aa'] }, ARCHIVE).length, 1);
});

for (const { name, directory, removal } of [
  { name: 'etc/.wh.motd', directory: false, removal: { kind: 'entry', name: 'etc/motd' } },
  { name: '.wh.opt', directory: false, removal: { kind: 'entry', name: 'opt' } },
  { name: 'var/.wh..wh..opq', directory: false, removal: { kind: 'content', name: 'var' } },
  {
    name: '.wh..wh.plnk/1.2',
    directory: false,
    removal: { kind: 'directory', name: '.wh..wh.plnk/1.2' },
  },
  { name: '.wh..wh.aufs', directory: false, removal: undefined },
  { name: 'etc', directory: true, removal: undefined },
  { name: 'etc/hosts', directory: false, removal: { kind: 'directory', name: 'etc/hosts' } },
]) {
  test(`removalFor() turns ${name} into ${removal?.kind ?? 'nothing'}`, () => {
    assert.deepEqual(removalFor(name, directory), removal);
  });
}

test('isMarker() knows every entry that must not stay', () => {
  assert.ok(isMarker('a/.wh.b'));
  assert.ok(isMarker('.wh..wh.plnk/1.2'));
  assert.ok(!isMarker('a/wh.b'));
});
