import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { EventBody } from '../../../src/events/event.ts';
import { convertArgv, tarArgv } from '../../../src/output/commands.ts';
import { asideName } from '../../../src/output/old-image.ts';
import { writeOutputs } from '../../../src/output/write-outputs.ts';
import { WRITERS } from '../../../src/output/writers.ts';
import type { ImagePlan } from '../../../src/plan/build-plan.ts';
import { FORMATS } from '../../../src/plan/formats.ts';
import { identifiersFrom } from '../../../src/plan/identifiers.ts';

const work = await mkdtemp(path.join(tmpdir(), 'outputs-'));
after(() => rm(work, { recursive: true }));

/** 2023-11-14 22:13:20 UTC. */
const DATE = 1_700_000_000;

function image(over: Partial<ImagePlan>): ImagePlan {
  return {
    name: 'disk',
    cwd: work,
    types: ['tar'],
    checksums: [],
    compress: true,
    overwrite: false,
    gzip: 'gzip',
    ...over,
  };
}

function convert(
  name: string,
  over: Partial<ImagePlan> = {},
  order: 'as-they-come' | 'in-order' = 'in-order',
): string {
  const what = { ...image(over), order };
  return convertArgv({ name }, { raw: 'r', to: 't' }, what).slice(2, -2).join(' ');
}

test('convertArgv() compresses qcow2 with zstd unless told otherwise', () => {
  const common = '-m 16 -f raw -O';
  assert.equal(convert('qcow2'), `-c ${common} qcow2 -o compression_type=zstd`);
  assert.equal(
    convert('qcow2', {}, 'as-they-come'),
    `-c -W ${common} qcow2 -o compression_type=zstd`,
  );
  assert.equal(convert('qcow2', { compress: false }), `${common} qcow2`);
  assert.equal(convert('vmdk'), `${common} vmdk`);
  assert.equal(
    convert('qcow2', { qemuImgOptions: 'cluster_size=2M' }),
    `-c ${common} qcow2 -o compression_type=zstd,cluster_size=2M`,
  );
  assert.equal(
    convert('qcow2', { qemuImgOptions: 'compat=0.10' }),
    `-c ${common} qcow2 -o compat=0.10`,
  );
});

test('every format has a writer', () => {
  assert.deepEqual(
    Object.keys(WRITERS),
    FORMATS.map(({ type }) => type),
  );
});

test('tarArgv() keeps numbers, attributes and order', () => {
  const argv = tarArgv('/tree', DATE).join(' ');
  assert.match(argv, /^tar -C \/tree .* --numeric-owner --sort=name --xattrs .* -cf - \.$/);
});

test('asideName() puts the time before the last extension', () => {
  const now = new Date(2026, 0, 2, 3, 4, 5);
  assert.equal(asideName('/a/b.c.qcow2', now), '/a/b.c-2026.01.02-03.04.05.qcow2');
});

async function write(types: string[], over: Partial<ImagePlan> = {}): Promise<EventBody[]> {
  const tree = path.join(work, 'tree');
  const staging = await mkdtemp(path.join(work, '.staging-'));
  await mkdir(path.join(tree, 'etc'), { recursive: true });
  await writeFile(path.join(tree, 'etc/motd'), 'hello\n');
  const rawDisk = path.join(staging, 'image0.raw');
  await writeFile(rawDisk, Buffer.alloc(1 << 20, 7));
  const events: EventBody[] = [];
  await writeOutputs(
    {
      image: image({ types, ...over }),
      ...{ tree, rawDisk, staging, mode: 0o640 },
      sourceDate: DATE,
      identifiers: identifiersFrom('outputs'),
    },
    {
      emit: (event) => events.push(event),
      signal: new AbortController().signal,
      toolEnvironment: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
    },
  );
  assert.deepEqual(await readdir(staging), types.includes('raw') ? [] : ['image0.raw']);
  return events;
}

test('writeOutputs() writes tar and tgz that tar reads back, each on its own', async () => {
  await write(['tar', 'tgz']);
  for (const file of ['disk.tar', 'disk.tgz']) {
    const listed = execFileSync('tar', ['-tf', path.join(work, file)], { encoding: 'utf8' });
    assert.equal(listed, './\n./etc/\n./etc/motd\n');
    assert.equal((await stat(path.join(work, file))).mode & 0o777, 0o640);
  }
});

test('writeOutputs() renames an old raw aside with its sums, and checks out its own', async () => {
  await write(['raw'], { name: 'old', checksums: ['md5', 'sha256'] });
  const events = await write(['raw'], { name: 'old', checksums: ['sha256'] });
  const names = (await readdir(work)).filter((name) => name.startsWith('old')).sort();
  const aside = events.flatMap((event) => (event.kind === 'artifact-renamed' ? [event.to] : []));
  assert.deepEqual(
    names,
    [...aside.map((file) => path.basename(file)), 'old.raw', 'old.raw.sha256'].sort(),
  );
  assert.equal(aside.length, 3);
  execFileSync('sha256sum', ['--check', '--strict', 'old.raw.sha256'], { cwd: work });
});

test('writeOutputs() replaces an old image when it may', async () => {
  await writeFile(path.join(work, 'new.raw'), 'old');
  await writeFile(path.join(work, 'new.raw.md5'), 'of the old one');
  await write(['raw'], { name: 'new', overwrite: true });
  assert.deepEqual(
    (await readdir(work)).filter((name) => name.startsWith('new')),
    ['new.raw'],
  );
  assert.equal((await readFile(path.join(work, 'new.raw'))).length, 1 << 20);
});

test('writeOutputs() leaves what was there when one format fails', async () => {
  await writeFile(path.join(work, 'kept.tar'), 'old');
  await assert.rejects(
    write(['tar', 'qcow2'], { name: 'kept', qemuImgOptions: 'no_such_option=1' }),
    /qemu-img failed/,
  );
  assert.equal(await readFile(path.join(work, 'kept.tar'), 'utf8'), 'old');
});

test('writeOutputs() takes the sums of a stream while it is written', async () => {
  await write(['tar', 'tgz'], { name: 'sums', checksums: ['md5', 'sha256'] });
  for (const sum of ['md5', 'sha256']) {
    for (const type of ['tar', 'tgz']) {
      execFileSync(`${sum}sum`, ['--check', '--strict', `sums.${type}.${sum}`], { cwd: work });
    }
  }
});

test('writeOutputs() names the compressor that fails, and the one that is not there', async () => {
  await assert.rejects(write(['tar', 'tgz'], { gzip: 'false' }), /false failed with status 1/);
  await assert.rejects(write(['tgz'], { gzip: 'no-such-gzip' }), /Cannot start no-such-gzip/);
});
