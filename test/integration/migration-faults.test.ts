/**
 * What goes wrong around a watch pass: mirrors, `submit`, the disk, kills, clocks. Each has a clear message,
 * loses nothing and submits nothing twice.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import type { MigrationConfig } from '../../src/migration/config.ts';
import { readRunRecords } from '../../src/migration/state.ts';
import { cutAfter, file, redirect, stallAfter, status } from '../rig/http-server.ts';
import { CENTOS, MigrationRig, onBoth, only, pkg, ROOT, rpm } from '../rig/migration.ts';
import { primaryXml, repomdXml } from '../rig/primary-xml.ts';

const COMMAND = path.join(ROOT, 'bin/migration-update');

/** A rig whose repositories have been seeded, and that asks each mirror once. */
async function seeded(): Promise<MigrationRig> {
  const rig = await MigrationRig.open();
  assert.equal((await rig.run()).outcome, 'ok');
  rig.config = { ...rig.config, fetch: { ...rig.config.fetch, attempts: 1, idleSeconds: 1 } };
  return rig;
}

/** Repository `b` with that content as its metadata, vouched for. */
function publishBytes(rig: MigrationRig, content: Buffer, openSize?: number): void {
  const href = 'repodata/0-primary.xml.gz';
  rig.server.serve(`/b/${href}`, file(content));
  const repomd = repomdXml({ href, content, ...(openSize === undefined ? {} : { openSize }) });
  rig.server.serve('/b/repodata/repomd.xml', file(repomd));
}

type Break = (rig: MigrationRig, content: Buffer) => void;
const PRIMARY = '/b/repodata/0-primary.xml.gz';
const REPOMD = '/b/repodata/repomd.xml';

const BROKEN: readonly (readonly [what: string, breakIt: Break, message: RegExp])[] = [
  [
    'malformed XML',
    (rig) => void rig.publishXml('b', '<metadata><package></metadata>'),
    /cannot be used: <\/metadata> closes <package>, at byte/,
  ],
  [
    'XML that ends early',
    (rig) => void rig.publishXml('b', primaryXml([pkg('x-1')]).slice(0, -30)),
    /ends (inside|in the middle) of/,
  ],
  [
    'fewer packages than it says',
    (rig) => void rig.publishXml('b', primaryXml([pkg('x-1')], 7)),
    /says that it has 7 packages, and has 1/,
  ],
  [
    'a web page',
    (rig) => rig.server.serve(REPOMD, file('<!DOCTYPE html><html></html>')),
    /repomd\.xml cannot be used: It is <html>/,
  ],
  [
    'no primary metadata',
    (rig) => rig.server.serve(REPOMD, file('<repomd/>')),
    /lists no primary metadata/,
  ],
  [
    'a short file',
    (rig, content) => rig.server.serve(PRIMARY, file(content.subarray(0, 99))),
    /ends after 99 of \d+ bytes/,
  ],
  [
    'a connection that breaks',
    (rig, content) => rig.server.serve(PRIMARY, cutAfter(content, 99)),
    /connection broke/,
  ],
  [
    'a server that falls silent',
    (rig, content) => rig.server.serve(PRIMARY, stallAfter(content, 99)),
    /fell silent/,
  ],
  [
    'another file',
    (rig, content) => rig.server.serve(PRIMARY, file(Buffer.alloc(content.length))),
    /The sha256 of the primary metadata is \w+, and should be/,
  ],
  [
    'a longer file',
    (rig, content) => rig.server.serve(PRIMARY, file(Buffer.concat([content, content]))),
    /longer than the \d+ bytes/,
  ],
  [
    'half a gzip file',
    (rig, content) => publishBytes(rig, content.subarray(0, 99)),
    /not whole gzip data/,
  ],
  [
    'half an xz file',
    (rig) => publishBytes(rig, Buffer.from('fd377a585a0000', 'hex')),
    /not whole xz data/,
  ],
  [
    'a bomb',
    (rig) => publishBytes(rig, gzipSync(Buffer.alloc(1 << 20, 'x')), 1000),
    /longer than the 1000 bytes/,
  ],
  ['no repository', (rig) => rig.server.serve(REPOMD, status(404)), /answers 404 for repomd\.xml/],
  [
    'a broken server',
    (rig) => rig.server.serve(PRIMARY, status(500)),
    /answers 500 for the primary/,
  ],
  [
    'a redirect in a circle',
    (rig) => rig.server.serve(REPOMD, redirect(REPOMD)),
    /redirects more than 5 times/,
  ],
  [
    'a redirect away from the web',
    (rig) => rig.server.serve(REPOMD, redirect('file:///etc/passwd')),
    /redirects to file:.* refused/,
  ],
];

test('a repository that cannot be read is named with the reason, is not empty, and costs the others nothing', async () => {
  await using rig = await seeded();
  const expected: string[] = [];
  for (const [index, [what, breakIt, message]] of BROKEN.entries()) {
    const { content } = rig.publish('b', ['bold-1.0', `b${index}-1`].map(pkg));
    breakIt(rig, content);
    rig.publish('a', [pkg(`a${index}-1`)]);
    const record = await rig.run();
    assert.equal(record.outcome, 'partial', what);
    const [a, b] = only(record).repositories;
    assert.deepEqual([a?.state, b?.state], ['read', 'failed'], what);
    assert.match(b?.error ?? '', message, what);
    expected.push(rpm(`a${index}-1`));
    assert.deepEqual(rig.jobs(), onBoth(...expected), what);
  }
  rig.publish('b', ['bold-1.0', 'late-1'].map(pkg));
  assert.equal((await rig.run()).outcome, 'ok');
  assert.deepEqual(rig.jobs(), onBoth(...expected, rpm('late-1')));
});

test('a server that is not there is named, and the last list of a target still counts', async () => {
  await using rig = await seeded();
  rig.publish('a', [pkg('a-1')]);
  const gone = { ...rig.repository('b'), url: 'http://127.0.0.1:1/b/repodata/repomd.xml' };
  const [system] = rig.config.systems;
  assert.ok(system);
  const repositories = [rig.repository('a'), gone];
  rig.config = { ...rig.config, systems: [{ ...system, repositories }] };
  const record = await rig.run();
  assert.match(
    only(record).repositories[1]?.error ?? '',
    /Cannot reach 127\.0\.0\.1:1: ECONNREFUSED/,
  );
  assert.deepEqual(rig.jobs(), onBoth(rpm('a-1')));
});

test('mirrors are asked through the proxy of the environment; one that refuses is named', async () => {
  await using rig = await seeded();
  const { content, repomd } = rig.publish('a', ['old-1.0', 'new-1'].map(pkg));
  const base = 'http://mirror.invalid/a/repodata';
  rig.server.serve(`${base}/repomd.xml`, file(repomd));
  rig.server.serve(`${base}/0-primary.xml.gz`, file(content));
  const [system] = rig.config.systems;
  assert.ok(system);
  const repositories = [
    { ...rig.repository('a'), url: `${base}/repomd.xml` },
    { ...rig.repository('b'), url: 'https://mirror.invalid/b/repodata/repomd.xml' },
  ];
  rig.config = { ...rig.config, systems: [{ ...system, repositories }] };
  const environment = {
    http_proxy: rig.server.url,
    https_proxy: '127.0.0.1:1',
    no_proxy: '127.0.0.1',
  };
  const record = await rig.run({}, environment);
  const [a, b] = only(record).repositories;
  assert.deepEqual([a?.state, a?.packages], ['read', 2]);
  assert.match(b?.error ?? '', /Cannot reach 127\.0\.0\.1:1: ECONNREFUSED/);
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1')));
});

test('a mirror in the middle of an update is asked again', async () => {
  await using rig = await seeded();
  rig.config = { ...rig.config, fetch: { ...rig.config.fetch, attempts: 3 } };
  const { repomd, content } = rig.publish('a', ['old-1.0', 'new-1.0'].map(pkg));
  const before = repomdXml({ href: 'repodata/gone.xml.gz', content: Buffer.from('x') });
  rig.server.serve('/a/repodata/repomd.xml', file(before), file(repomd));
  rig.server.serve('/a/repodata/0-primary.xml.gz', status(503), file(content));
  assert.equal((await rig.run()).outcome, 'ok');
  assert.deepEqual(rig.slept, [5, 5]);
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0')));
});

// Facts, 3.1: the original refuses all but the first and zst, and takes binaries for sources.
test('metadata in every compression is read, and only sources are listed', async () => {
  await using rig = await seeded();
  const submitted: string[] = [];
  for (const compression of ['gz', 'xz', 'zst', 'bz2', 'plain'] as const) {
    const binary = { name: 'bin', version: compression, arch: 'x86_64' };
    rig.publish('a', [pkg(`in-${compression}`), binary], compression);
    const record = await rig.run();
    assert.equal(record.outcome, 'ok', JSON.stringify(record));
    submitted.push(rpm(`in-${compression}`));
    assert.deepEqual(rig.jobs(), onBoth(...submitted));
  }
});

test('a submit that hangs or prints garbage is in doubt: not asked again until somebody says so', async () => {
  await using rig = await seeded();
  rig.submitSettings({ timeoutSeconds: 10, parallel: 8 });
  rig.publish('a', ['hangs-1', 'prints-1', 'waits-1', 'fine-1'].map(pkg));
  await rig.how(rpm('hangs-1'), 'hang');
  await rig.how(rpm('prints-1'), 'garbage');
  await rig.how(rpm('waits-1'), 'late-answer');
  const inDoubt = [rpm('hangs-1'), rpm('prints-1'), rpm('waits-1')];
  rig.submitSettings({ stopAfter: 100 });
  const first = only(await rig.run());
  assert.deepEqual(
    first.architectures.map(({ submitted, unknown }) => [submitted, unknown]),
    [
      [1, 3],
      [1, 3],
    ],
  );
  assert.match(
    rig.logged('x86_64', 'submit-log'),
    /submit unknown: submit did not end within 10 s/,
  );
  await rig.forgetHow();
  const second = only(await rig.run());
  assert.equal(rig.calls().length, 8);
  assert.deepEqual(
    second.architectures.map(({ unknown }) => unknown),
    [3, 3],
  );
  assert.ok(!rig.history().includes(rpm('hangs-1')));
  assert.equal((await rig.run({ retryUnknown: true })).outcome, 'ok');
  assert.deepEqual(rig.calls(), onBoth(...inDoubt, ...inDoubt, rpm('fine-1')));
  assert.equal((await rig.run()).outcome, 'ok');
  assert.equal(rig.calls().length, 14);
});

test('without a submit command or without its job file nothing is submitted, and both are named', async () => {
  await using rig = await seeded();
  rig.publish('a', [pkg('new-1')]);
  const { config } = rig;
  rig.submitSettings({ command: ['/nowhere/submit'] });
  assert.match(
    only(await rig.run()).error ?? '',
    /submit cannot be started: ENOENT, it is not on PATH/,
  );
  rig.config = {
    ...config,
    systems: config.systems.map((each) => ({ ...each, job: '/nowhere.yaml' })),
  };
  assert.match(
    only(await rig.run()).error ?? '',
    /There is no job '\/nowhere\.yaml': 'jobDirectory' or 'job' in the configuration/,
  );
  rig.config = config;
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1')));
});

test('a history that ends in half a line makes nothing new twice, and is mended', async () => {
  await using rig = await seeded();
  const list = path.join(rig.paths.data, `rpm_src_history_list_${CENTOS}`);
  await truncate(list, (await readFile(list)).length - 30);
  rig.publish('b', ['bold-1.0', 'new-1'].map(pkg));
  const record = await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1')));
  assert.match(rig.said.join('\n'), /line 2: half a line is taken for bold-1\.0/);
  assert.equal(only(record).known, 2);
  assert.deepEqual(rig.history(), [rpm('bold-1.0'), rpm('new-1'), rpm('old-1.0')]);
  assert.match(await readFile(list, 'utf8'), /bold 1\.0\n/);
});

test('seeding that was killed is finished when the history was written, else begun again', async () => {
  await using rig = await seeded();
  const { length } = await readFile(
    path.join(rig.paths.data, `rpm_src_history_list_${CENTOS}`),
    'utf8',
  );
  const killed = (historyLength: number): Promise<void> => {
    const pending = { repositories: ['a', 'b'], historyLength };
    const systems = { [CENTOS]: { repositories: {}, isImported: false, pending } };
    return writeFile(rig.paths.seeded, JSON.stringify({ version: 1, systems }));
  };
  await killed(length);
  rig.publish('a', ['old-1.0', 'new-1'].map(pkg));
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1')));
  await killed(1);
  rig.publish('a', ['old-1.0', 'seed-1'].map(pkg));
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1')));
  assert.ok(rig.history().includes(rpm('seed-1')));
});

test('a clock that jumps confuses nothing: runs keep their order, logs their own directories', async () => {
  await using rig = await seeded();
  for (const [index, now] of [
    new Date(2024, 10, 21, 2),
    new Date(2023, 0, 1, 2),
    new Date(2023, 0, 1, 2),
    new Date(2030, 0, 1, 2),
  ].entries()) {
    rig.now = now;
    rig.publish('a', [pkg(`p${index}-1`)]);
    const record = await rig.run();
    assert.equal(record.outcome, 'ok');
    assert.ok(record.durationMs >= 0 && record.durationMs < 3_600_000);
  }
  assert.equal(rig.jobs().length, 8);
  const records = await readRunRecords(rig.paths, 10);
  assert.deepEqual(
    records.map(({ sequence }) => sequence),
    [5, 4, 3, 2, 1],
  );
  const logs = readdirSync(rig.paths.log)
    .filter((name) => name.includes('x86_64'))
    .sort();
  assert.deepEqual(
    logs.map((name) => name.replace(/.*_x86_64-/, '')),
    ['20230101-020000', '20230101-020000-2', '20241121-020000', '20300101-020000'],
  );
});

/** Two pipes of the stand-in's answer `gate`: when it has its job, and when it may say so. */
async function gates(rig: MigrationRig): Promise<{
  readonly reached: () => Promise<number>;
  readonly open: () => Promise<void>;
}> {
  const [reached, gate] = ['reached', 'gate'].map((name) => path.join(rig.dir, 'submit', name));
  assert.ok(reached !== undefined && gate !== undefined);
  assert.equal(spawnSync('mkfifo', [reached, gate]).status, 0);
  await rig.how(`${rpm('gated-1')}.aarch64`, 'gate');
  return {
    reached: async () => Number(await readFile(reached, 'utf8')),
    open: async () => {
      const handle = await open(gate, 'w');
      await handle.write('go\n');
      await handle.close();
    },
  };
}

/** The real command on the rig's state. */
async function configFile(
  rig: MigrationRig,
  config: MigrationConfig = rig.config,
): Promise<string> {
  const name = path.join(rig.dir, 'config.yaml');
  await writeFile(name, stringify(config));
  return name;
}

function command(rig: MigrationRig, config: string): readonly string[] {
  return [COMMAND, 'run', '--config', config, '--state', rig.paths.root];
}

/** Starts a run as a process, and kills it with KILL when its second package has a job, but no answer. */
async function killedRun(
  rig: MigrationRig,
): Promise<{ readonly submitPid: number; readonly open: () => Promise<void> }> {
  const gate = await gates(rig);
  rig.publish('a', ['first-1', 'gated-1', 'last-1'].map(pkg));
  rig.submitSettings({ parallel: 1 });
  const args = command(rig, await configFile(rig));
  const child = spawn(process.execPath, args, { env: { ...rig.environment() }, stdio: 'ignore' });
  const submitPid = await gate.reached();
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { submitPid, open: gate.open };
}

// B7: the original submits everything again.
test('after a kill the next run waits for the submit that survived it, and submits nothing twice', async () => {
  await using rig = await seeded();
  const { open } = await killedRun(rig);
  await rig.forgetHow();
  const [record] = await Promise.all([rig.run(), open()]);
  assert.equal(record.outcome, 'ok');
  assert.match(rig.said.join('\n'), /1 of its submissions are known now, 0 are held/);
  assert.deepEqual(rig.calls(), onBoth(rpm('first-1'), rpm('gated-1'), rpm('last-1')));
  assert.ok(rig.history().includes(rpm('gated-1')));
});

test('when submit was killed with the run, only what it may have submitted is held', async () => {
  await using rig = await seeded();
  const { submitPid } = await killedRun(rig);
  process.kill(-submitPid, 'SIGKILL');
  await rig.forgetHow();
  const record = await rig.run();
  assert.match(
    rig.said.join('\n'),
    /0 of its submissions are known now, 1 are held.*--retry-unknown/,
  );
  assert.equal(record.outcome, 'partial');
  assert.deepEqual(rig.calls(), onBoth(rpm('first-1'), rpm('gated-1'), rpm('last-1')));
  assert.ok(rig.history().includes(rpm('last-1')) && !rig.history().includes(rpm('gated-1')));
  assert.equal((await rig.run({ retryUnknown: true })).outcome, 'ok');
  assert.ok(rig.history().includes(rpm('gated-1')));
});

// B16: the original looks for a name in the list of processes.
test('two runs at one time: the second is refused and says who runs, the first is not disturbed', async () => {
  await using rig = await seeded();
  const gate = await gates(rig);
  rig.publish('a', [pkg('gated-1')]);
  rig.submitSettings({ parallel: 1 });
  const first = rig.run();
  await gate.reached();
  await assert.rejects(rig.run(), (error: { failure?: { kind: string; message: string } }) => {
    assert.equal(error.failure?.kind, 'lock-busy');
    assert.match(
      error.failure?.message ?? '',
      new RegExp(`process ${process.pid} on .*migration-update run`),
    );
    return true;
  });
  const args = command(rig, await configFile(rig));
  const other = spawnSync(process.execPath, args, { env: rig.environment(), encoding: 'utf8' });
  assert.equal(other.status, 5, other.stderr);
  await gate.open();
  assert.equal((await first).outcome, 'ok');
  assert.deepEqual(rig.calls(), onBoth(rpm('gated-1')));
});

test('told to stop, a run lets the submissions that run end, records them, and starts no more', async () => {
  await using rig = await seeded();
  const gate = await gates(rig);
  rig.publish('a', ['gated-1', 'later-1'].map(pkg));
  rig.submitSettings({ parallel: 1 });
  const args = command(rig, await configFile(rig));
  const child = spawn(process.execPath, args, { env: rig.environment(), stdio: 'ignore' });
  await gate.reached();
  child.kill('SIGTERM');
  await gate.open();
  const [code] = await once(child, 'exit');
  assert.equal(code, 143);
  const [record] = await readRunRecords(rig.paths, 1);
  assert.equal(record?.outcome, 'interrupted');
  assert.deepEqual(rig.calls(), [`${rpm('gated-1')} aarch64`]);
  await rig.forgetHow();
  assert.equal((await rig.run()).outcome, 'ok');
  assert.deepEqual(rig.calls(), onBoth(rpm('gated-1'), rpm('later-1')));
});

/** Runs a script with a state volume of 600 kB, in a mount namespace of its own; what it printed. */
async function onSmallDisk(rig: MigrationRig, script: string): Promise<string> {
  const mount = 'mkdir -p "$STATE"; mount -t tmpfs -o size=600k tmpfs "$STATE"';
  const args = ['--mount', '--propagation', 'private', 'bash', '-eu', '-c', `${mount}; ${script}`];
  const child = spawn('unshare', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...rig.environment(),
      ...{ STATE: rig.paths.root, NODE: process.execPath, RUN: COMMAND, DIR: rig.dir },
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
  return said;
}

/** `seed` and `new` are configurations: what was there, and what has become new since. */
async function twoConfigs(rig: MigrationRig): Promise<void> {
  rig.submitSettings({ parallel: 1 });
  await writeFile(path.join(rig.dir, 'seed.yaml'), stringify(rig.config));
  rig.publish('later', ['old-1.0', 'p1-1', 'p2-1'].map(pkg));
  const [system] = rig.config.systems;
  assert.ok(system);
  const repositories = [{ ...rig.repository('later'), id: 'a' }, rig.repository('b')];
  await writeFile(
    path.join(rig.dir, 'new.yaml'),
    stringify({ ...rig.config, systems: [{ ...system, repositories }] }),
  );
}

const ON_DISK =
  'run() { "$NODE" "$RUN" run --config "$DIR/$1.yaml" --state "$STATE"; }; history=$STATE/data/rpm_src_history_list_centos_9-stream;';

test('a disk that is full from the start stops the run before anything is submitted', async () => {
  await using rig = await MigrationRig.open();
  await twoConfigs(rig);
  const said = await onSmallDisk(
    rig,
    `${ON_DISK} run seed >/dev/null
     dd if=/dev/zero of="$STATE/filler" bs=1k 2>/dev/null || true
     if run new; then echo "no failure"; exit 1; fi
     [ ! -e "$SUBMIT_DIR/calls" ] || { echo "submitted"; exit 1; }
     rm "$STATE/filler"; run new >/dev/null; cat "$history"`,
  );
  assert.match(said, /No space left on the device with the state, .*Free some space/);
  assert.deepEqual(rig.calls(), onBoth(rpm('p1-1'), rpm('p2-1')));
  for (const name of ['old', 'bold', 'p1', 'p2']) {
    assert.match(said, new RegExp(`^http\\S+ ${name} 1`, 'm'));
  }
});

test('a disk that becomes full while submit runs does not take the answer away', async () => {
  await using rig = await MigrationRig.open();
  await twoConfigs(rig);
  await rig.how(`${rpm('p1-1')}.aarch64`, 'fill');
  const said = await onSmallDisk(
    rig,
    `${ON_DISK} export STATE; run seed >/dev/null
     if run new; then echo "no failure"; exit 1; fi
     rm "$STATE/filler"; run new; run new; cat "$history"`,
  );
  assert.match(said, /No space left on the device with the state, .*Free some space/);
  assert.deepEqual(rig.calls(), onBoth(rpm('p1-1'), rpm('p2-1')));
  assert.match(said, /^http\S+ p1 1$/m);
});

test('a state directory in /proc ends the run, and does not keep it waiting', () => {
  const argv = [COMMAND, 'run', '--state', '/proc/nowhere/state'];
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /Cannot keep the state in '\/proc\/nowhere\/state': ENOENT/);
});

test('a state directory that cannot be written is named before anything is done', async () => {
  await using rig = await MigrationRig.open();
  const blocked = path.join(rig.dir, 'blocked');
  await writeFile(blocked, '');
  await assert.rejects(
    rig.run({ stateDirectory: path.join(blocked, 'state') }),
    /Cannot keep the state in .*: ENOTDIR/,
  );
  assert.equal(rig.server.asked.length, 0);
  await rig.run();
  await writeFile(rig.paths.seeded, '{ "version": 1');
  const record = await rig.run();
  assert.equal(record.outcome, 'failed');
  assert.match(
    record.error ?? '',
    /seeded\.json' is not a list of seeded repositories\. Restore it/,
  );
  assert.equal(readFileSync(rig.paths.seeded, 'utf8'), '{ "version": 1');
});
