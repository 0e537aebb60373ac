import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ImageArchive } from '../../../src/output/oci-archive.ts';
import {
  blobName,
  imageConfig,
  imageIndex,
  imageManifest,
} from '../../../src/output/oci-documents.ts';
import { platformOf } from '../../../src/plan/container-platform.ts';

const work = await mkdtemp(path.join(tmpdir(), 'oci-archive-'));
after(() => rm(work, { recursive: true }));

const EPOCH = new Date(1_700_000_000_000);

test('ImageArchive writes what tar reads, blobs under their digests, the same ones once', async () => {
  const file = path.join(work, 'a.tar');
  const content = Buffer.alloc(70_000, 'blob');
  {
    await using archive = await ImageArchive.create(file, EPOCH);
    const blob = await archive.addBlob([content.subarray(0, 1000), content.subarray(1000)]);
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    assert.deepEqual(blob, { digest, sizeBytes: content.length });
    await archive.add('one', 'text');
    assert.deepEqual(await archive.addBlob([content]), blob);
    await archive.add('two', '');
    await archive.finish();
    assert.deepEqual(execFileSync('tar', ['-xOf', file, blobName(digest)]), content);
    assert.deepEqual(execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n'), [
      blobName(digest),
      'one',
      'two',
      '',
    ]);
  }
  const [first = ''] = execFileSync('tar', ['--utc', '--full-time', '-tvf', file], {
    encoding: 'utf8',
  }).split('\n');
  assert.match(first, /^-rw-r--r-- 0\/0 +70000 2023-11-14 22:13:20 /);
  assert.equal((await stat(file)).size % 512, 0);
  assert.ok((await readFile(file)).subarray(-1024).equals(Buffer.alloc(1024)));
});

test('ImageArchive does not write over a file', async () => {
  const file = path.join(work, 'b.tar');
  await using _archive = await ImageArchive.create(file, EPOCH);
  await assert.rejects(ImageArchive.create(file, EPOCH), { code: 'EEXIST' });
});

const BLOB = { digest: `sha256:${'a'.repeat(64)}`, sizeBytes: 5 };
const LAYERS = [{ blob: BLOB, diffId: `sha256:${'b'.repeat(64)}`, createdBy: 'install' }];

test('imageConfig() holds what was set and nothing else', () => {
  const facts = { platform: platformOf('amd64'), created: EPOCH, layers: LAYERS };
  const when = '2023-11-14T22:13:20Z';
  const common = {
    created: when,
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [LAYERS[0]?.diffId] },
    history: [{ created: when, created_by: 'install' }],
  };
  assert.deepEqual(JSON.parse(imageConfig({ ...facts, settings: {} })), { ...common, config: {} });
  const settings = {
    env: { A: 'b=c' },
    workdir: '/w',
    entrypoint: ['e'],
    cmd: ['c'],
    user: 'u',
    labels: { l: 'v' },
    ports: ['80/tcp'],
    volumes: ['/v'],
    author: 'me',
    'stop-signal': 'SIGINT',
  };
  assert.deepEqual(JSON.parse(imageConfig({ ...facts, settings })), {
    ...common,
    author: 'me',
    config: {
      User: 'u',
      ExposedPorts: { '80/tcp': {} },
      Env: ['A=b=c'],
      Entrypoint: ['e'],
      Cmd: ['c'],
      Volumes: { '/v': {} },
      WorkingDir: '/w',
      Labels: { l: 'v' },
      StopSignal: 'SIGINT',
    },
  });
});

test('the manifest says how layers are compressed, the index what the image is called', () => {
  for (const [compression, type] of [
    ['none', 'tar'],
    ['gzip', 'tar+gzip'],
    ['zstd', 'tar+zstd'],
  ] as const) {
    const [layer] = JSON.parse(imageManifest(BLOB, LAYERS, compression)).layers;
    assert.deepEqual(layer, {
      mediaType: `application/vnd.oci.image.layer.v1.${type}`,
      digest: BLOB.digest,
      size: 5,
    });
  }
  const name = { repository: 'team/web', tag: '1.0' };
  const [only] = JSON.parse(imageIndex(BLOB, platformOf('armhf'), name)).manifests;
  assert.deepEqual(only.platform, { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.deepEqual(only.annotations, {
    'io.containerd.image.name': 'docker.io/team/web:1.0',
    'org.opencontainers.image.ref.name': '1.0',
  });
});
