/**
 * Watch passes against a mirror on loopback and a stand-in for `submit`: what they do, and that the faults
 * of the original are none of theirs.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { status } from '../rig/http-server.ts';
import { CENTOS, MigrationRig, onBoth, only, pkg, rpm } from '../rig/migration.ts';

/** A rig whose repositories have been seeded. */
async function seeded(): Promise<MigrationRig> {
  const rig = await MigrationRig.open();
  assert.equal((await rig.run()).outcome, 'ok');
  return rig;
}

test('the first run seeds, the second submits what is new for each architecture, the third has nothing to do', async () => {
  await using rig = await MigrationRig.open();
  const first = await rig.run();
  assert.equal(first.outcome, 'ok');
  assert.deepEqual([only(first).listed, only(first).seeded], [2, 2]);
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(rig.history(), [rpm('bold-1.0'), rpm('old-1.0')]);

  rig.nextDay();
  rig.publish('a', ['old-1.0', 'old-1.1'].map(pkg));
  const second = await rig.run();
  assert.equal(second.outcome, 'ok');
  assert.deepEqual(rig.jobs(), onBoth(rpm('old-1.1')));
  assert.deepEqual(
    only(second).architectures.map(({ architecture, submitted, failed }) => [
      architecture,
      submitted,
      failed,
    ]),
    [
      ['aarch64', 1, 0],
      ['x86_64', 1, 0],
    ],
  );
  assert.deepEqual(rig.history(), [rpm('bold-1.0'), rpm('old-1.0'), rpm('old-1.1')]);

  rig.nextDay();
  const third = await rig.run();
  assert.equal(third.outcome, 'ok');
  assert.equal(rig.calls().length, 2);
  assert.deepEqual(
    only(third).architectures.map((each) => each.log),
    [undefined, undefined],
  );
});

test('the log directories have the files that operators know, in their form', async () => {
  await using rig = await seeded();
  rig.publish('a', ['new-1.0', 'bad-1.0'].map(pkg));
  await rig.how(rpm('bad-1.0'), 'exit-1');
  await rig.run();
  const [name = ''] = readdirSync(rig.paths.log).filter((dir) => dir.includes('aarch64'));
  assert.equal(name, 'submit-log-centos_9-stream_aarch64-20241120-020000');
  const url = `${rig.server.url}/a/Packages`;
  assert.match(
    rig.logged('aarch64', 'submit-succ-list'),
    new RegExp(`^${url}/new-1\\.0-1\\.el9\\.src\\.rpm  z9\\.\\d+ /srv/result/\\S+\n$`),
  );
  assert.equal(
    rig.logged('aarch64', 'submit-fail-list'),
    `${url}/bad-1.0-1.el9.src.rpm bad-1.0-1.el9.src.rpm\n`,
  );
  assert.match(rig.logged('aarch64', 'result_root_list'), /^\/srv\/result\/\S+\n$/);
  const log = rig.logged('aarch64', 'submit-log');
  assert.match(
    log,
    / repo_addr=\S+new-1\.0\S+ os_arch=aarch64 testbox=vm-2p8g check_rpm_install=yes\n/,
  );
  assert.match(log, /submit times \[5\]/);
  assert.match(log, /total \[2\]\nsuccess \[1\]\nfail \[1\]\n$/);
  assert.match(readFileSync(rig.paths.taskLog, 'utf8'), /^\S+Z \[log\] Run 2 starts$/m);
});

// Facts, B3: the original then has an empty history, and submits everything the next night.
test('a first night without any mirror is no seeding: the next one seeds', async () => {
  await using rig = await MigrationRig.open();
  for (const id of ['a', 'b', 'target']) {
    rig.server.serve(`/${id}/repodata/repomd.xml`, status(404));
  }
  const down = await rig.run();
  assert.equal(down.outcome, 'failed');
  assert.match(only(down).repositories[0]?.error ?? '', /answers 404 for repomd\.xml/);
  for (const id of ['a', 'b', 'target']) {
    rig.publish(id, [pkg(`${id}-1.0`)]);
  }
  assert.equal((await rig.run()).outcome, 'ok');
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(rig.history(), [rpm('a-1.0'), rpm('b-1.0')]);
});

test('an empty history that the original has left is not taken for a seeded one', async () => {
  await using rig = await MigrationRig.open();
  await mkdir(rig.paths.data, { recursive: true });
  await writeFile(path.join(rig.paths.data, `rpm_src_history_list_${CENTOS}`), '');
  await rig.run();
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(rig.history(), [rpm('bold-1.0'), rpm('old-1.0')]);
});

// B4: it floods in the original.
test('a repository that was down while seeding is seeded later, and so is one that is added', async () => {
  await using rig = await MigrationRig.open();
  const { repomdPath } = rig.publish('b', []);
  rig.server.serve(repomdPath, status(404));
  assert.equal((await rig.run()).outcome, 'partial');
  rig.publish('b', ['b-1.0', 'b-2.0'].map(pkg));
  rig.publish('a', ['old-1.0', 'new-1.0'].map(pkg));
  rig.publish('c', ['c-1.0', 'c-2.0'].map(pkg));
  rig.config = { ...rig.config, systems: [rig.system('centos', '9-stream', ['a', 'b', 'c'])] };
  const record = await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0')));
  assert.equal(only(record).seeded, 4);
  rig.publish('b', ['b-1.0', 'b-2.0', 'b-3.0'].map(pkg));
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('b-3.0'), rpm('new-1.0')));
});

test('a history of the original is taken over, whatever the mirror is called by now', async () => {
  await using rig = await MigrationRig.open();
  await mkdir(rig.paths.data, { recursive: true });
  const line = `https://mirror.test/other/repodata/Packages/${rpm('old-1.0')} old 1.0\n`;
  await writeFile(path.join(rig.paths.data, `rpm_src_history_list_${CENTOS}`), line);
  rig.publish('a', ['old-1.0', 'old-1.1'].map(pkg));
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('old-1.1')));
  // The other repository has nothing in the history, so it is seeded.
  assert.deepEqual(rig.history(), [rpm('bold-1.0'), rpm('old-1.0'), rpm('old-1.1')]);
});

test('a mirror that moves makes no package new', async () => {
  await using rig = await seeded();
  rig.publish('moved', ['old-1.0', 'new-1.0'].map(pkg));
  const [system] = rig.config.systems;
  assert.ok(system);
  const repositories = [{ ...rig.repository('moved'), id: 'a' }, rig.repository('b')];
  rig.config = { ...rig.config, systems: [{ ...system, repositories }] };
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0')));
});

// B1 (the filter never applied), B13 (substrings).
test('what the target has is skipped, by the same name and version and by nothing like it', async () => {
  await using rig = await seeded();
  rig.publish('target', ['same-1.2', 'libfoo-1.2', 'foo-1.2.5', 'bar-1.2-x'].map(pkg));
  rig.publish('a', ['old-1.0', 'same-1.2', 'foo-1.2', 'bar-1.2'].map(pkg));
  const record = await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('bar-1.2'), rpm('foo-1.2')));
  assert.equal(only(record).inTarget, 1);
  assert.deepEqual(
    only(record).architectures.map(({ skipped }) => skipped),
    [1, 1],
  );
});

// B10: the original submits the unfiltered list.
test('when the target has everything, nothing is submitted', async () => {
  await using rig = await seeded();
  rig.publish('target', ['x-1.0', 'y-1.0'].map(pkg));
  rig.publish('a', ['x-1.0', 'y-1.0'].map(pkg));
  assert.equal((await rig.run()).outcome, 'ok');
  assert.deepEqual(rig.calls(), []);
});

// B14, B15.
test('a target that cannot be read is stood in for by its last list, and without one nothing is submitted', async () => {
  await using rig = await seeded();
  rig.publish('target', ['x-1.0'].map(pkg));
  await rig.run();
  rig.publish('a', ['x-1.0', 'y-1.0'].map(pkg));
  rig.server.serve('/target/repodata/repomd.xml', status(503));
  const kept = await rig.run();
  assert.equal(kept.outcome, 'partial');
  assert.equal(kept.target.repositories[0]?.state, 'kept');
  assert.deepEqual(rig.jobs(), onBoth(rpm('y-1.0')));

  const other = { ...rig.repository('target'), id: 'other' };
  rig.config = { ...rig.config, target: { ...rig.config.target, repositories: [other] } };
  rig.publish('a', ['x-1.0', 'y-1.0', 'z-1.0'].map(pkg));
  const missing = await rig.run();
  assert.match(only(missing).error ?? '', /not known what the target has \(other\)/);
  assert.deepEqual(rig.jobs(), onBoth(rpm('y-1.0')));
});

// B6: 4 of 4 failed, 4 recorded.
test('a package enters the history when it is submitted for every architecture, and is offered until then', async () => {
  await using rig = await seeded();
  rig.publish('a', ['new-1.0', 'half-1.0'].map(pkg));
  await rig.how(`${rpm('half-1.0')}.x86_64`, 'exit-1');
  const first = await rig.run();
  assert.equal(first.outcome, 'partial');
  assert.ok(!rig.history().includes(rpm('half-1.0')));
  assert.ok(rig.history().includes(rpm('new-1.0')));
  await rig.forgetHow();
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('half-1.0'), rpm('new-1.0')));
  assert.ok(rig.history().includes(rpm('half-1.0')));
});

// B9: the original runs it.
test('an address in the metadata cannot run a command, and does not stop the others', async () => {
  await using rig = await seeded();
  const marker = path.join(rig.dir, 'marker');
  const evil = ['$(touch MARKER)', '`touch MARKER`', ';touch MARKER;', "'|touch MARKER|'"].map(
    (href, index) => ({
      name: `evil${index}`,
      version: '1.0',
      href: `Packages/${href.replace('MARKER', marker)}-1.src.rpm`.replaceAll("'", '&apos;'),
    }),
  );
  rig.publish('a', [...evil, pkg('new-1.0')]);
  const record = await rig.run();
  assert.equal(existsSync(marker), false);
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0')));
  assert.equal(only(record).repositories[0]?.ignored, 4);
  assert.match(rig.said.join('\n'), /4 records are left out, such as the address/);
});

// B11, B12, B18.
test('jobs of any laboratory count, several of one package count once, and nobody reads the list away', async () => {
  await using rig = await seeded();
  rig.publish('a', ['lab-1.0', 'many-1.0', 'reader-1.0', 'last-1.0', 'sorry-1.0'].map(pkg));
  await rig.how(rpm('lab-1.0'), 'lab');
  await rig.how(rpm('many-1.0'), 'several');
  await rig.how(rpm('reader-1.0'), 'stdin');
  await rig.how(rpm('sorry-1.0'), 'ok-exit-1');
  const record = await rig.run();
  assert.equal(rig.calls().length, 10);
  assert.deepEqual(
    only(record).architectures.map(({ submitted }) => submitted),
    [5, 5],
  );
  assert.equal(rig.logged('x86_64', 'submit-succ-list').split('\n').length, 6);
  assert.match(rig.logged('x86_64', 'submit-succ-list'), /lab-1\.0\S+ {2}crystal-2\.\d+ /);
});

test('attempts, delays and pauses are as configured, and there is no pause at the end', async () => {
  await using rig = await seeded();
  rig.publish('a', ['p1-1', 'p2-1', 'p3-1'].map(pkg));
  rig.submitSettings({ pauseAfter: 2, pauseSeconds: 7200, parallel: 2 });
  await rig.run();
  assert.deepEqual(rig.slept, [7200, 7200]);
  rig.slept.length = 0;
  rig.publish('a', ['p4-1'].map(pkg));
  await rig.how(`${rpm('p4-1')}.aarch64`, 'once');
  rig.submitSettings({ pauseAfter: 0 });
  await rig.run();
  assert.deepEqual(rig.slept, [10]);
  assert.equal(rig.jobs().length, 8);
});

// B19: every package costs five attempts, then all are recorded as done.
test('when nobody takes packages the run stops, and none of them is given up for it', async () => {
  await using rig = await seeded();
  rig.publish(
    'a',
    Array.from({ length: 8 }, (_, index) => pkg(`p${index}-1`)),
  );
  await rig.how('default', 'exit-1');
  rig.submitSettings({ giveUpAfterRuns: 2, parallel: 1, attempts: 2 });
  for (const _ of [1, 2, 3]) {
    const record = await rig.run();
    assert.match(only(record).error ?? '', /3 packages in a row were not taken/);
  }
  assert.equal(rig.calls().length, 3 * 3 * 2);
  await rig.forgetHow();
  assert.equal((await rig.run()).outcome, 'ok');
  assert.equal(rig.jobs().length, 16);
});

test('a package that fails while others are taken is left alone after some runs, and never blocks them', async () => {
  await using rig = await seeded();
  rig.submitSettings({ giveUpAfterRuns: 2, attempts: 1, parallel: 1 });
  await rig.how(rpm('bad-1'), 'exit-1');
  for (const day of [1, 2, 3]) {
    rig.publish('a', ['bad-1', `good-${day}`].map(pkg));
    await rig.run();
  }
  assert.equal(rig.calls().filter((call) => call.startsWith('bad-1')).length, 4);
  assert.equal(rig.jobs().length, 6);
  const record = await rig.run();
  assert.deepEqual(
    only(record).architectures.map(({ skipped }) => skipped),
    [1, 1],
  );
});

// B22.
test('a token that submit prints is in no file of the state volume, and ends the run', async () => {
  await using rig = await seeded();
  rig.publish('a', ['p1-1', 'p2-1', 'p3-1'].map(pkg));
  await rig.how('default', 'account');
  rig.submitSettings({ parallel: 1 });
  const record = await rig.run();
  assert.match(only(record).error ?? '', /Failed to verify the account/);
  assert.equal(rig.calls().length, 1);
  assert.match(rig.logged('aarch64', 'submit-log'), /my_token: \*\*\*/);
  const names = readdirSync(rig.paths.root, { recursive: true, withFileTypes: true });
  for (const each of names.filter((entry) => entry.isFile())) {
    const text = readFileSync(path.join(each.parentPath, each.name), 'latin1');
    assert.ok(!text.includes('s3cr3t'), each.name);
  }
});

// B5.
test('a flood stops the submission, and the limit of a run keeps the rest for the next', async () => {
  await using rig = await seeded();
  rig.submitSettings({ parallel: 4, pauseAfter: 0, command: ['/bin/echo', 'got job id=z9.1'] });
  rig.publish(
    'a',
    Array.from({ length: 150 }, (_, index) => pkg(`p${index}-1`)),
  );
  rig.config = { ...rig.config, limits: { packagesPerRun: 5, newPercent: 25 } };
  const stopped = only(await rig.run());
  assert.match(stopped.error ?? '', /150 of 151 packages are new \(99 %\).*--allow-flood/);
  assert.equal(stopped.deferred, 150);
  const allowed = only(await rig.run({ allowFlood: true }));
  assert.equal(allowed.deferred, 145);
  assert.deepEqual(
    allowed.architectures.map(({ submitted }) => submitted),
    [5, 5],
  );
  assert.equal(only(await rig.run({ allowFlood: true })).deferred, 140);
});

test('a dry run says what it would do and changes nothing', async () => {
  await using rig = await MigrationRig.open();
  const first = await rig.run({ dryRun: true });
  assert.match(rig.said.join('\n'), /1 packages of a, which is new, would be noted/);
  assert.equal(first.outcome, 'ok');
  assert.equal(existsSync(rig.paths.root), false);
  await rig.run();
  rig.publish('a', ['new-1.0'].map(pkg));
  const before = readdirSync(rig.paths.root, { recursive: true }).sort();
  await rig.run({ dryRun: true });
  assert.match(
    rig.said.join('\n'),
    /Would run: \S+submit \S+centos_9-stream\.yaml repo_addr=\S+new-1\.0\S+ os_arch=x86_64/,
  );
  assert.deepEqual(readdirSync(rig.paths.root, { recursive: true }).sort(), before);
  assert.deepEqual(rig.calls(), []);
});

test('only the named systems and architectures are seen to, and the others later', async () => {
  await using rig = await seeded();
  rig.publish('a', ['new-1.0'].map(pkg));
  assert.deepEqual((await rig.run({ systems: ['fedora_40'] })).systems, []);
  await rig.run({ architectures: ['x86_64'] });
  assert.deepEqual(rig.jobs(), [`${rpm('new-1.0')} x86_64`]);
  await rig.run();
  assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0')));
});
