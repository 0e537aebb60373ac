/**
 * One package from its first appearance upstream to the list of what was submitted, over two days on which
 * things fail, with the real command, several repositories and two systems.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import type { RunRecord } from '../../src/migration/run-record.ts';
import { cutAfter, file, status } from '../rig/http-server.ts';
import { MigrationRig, onBoth, pkg, ROOT, rpm } from '../rig/migration.ts';
import { node12 } from '../rig/node12.ts';

const FEDORA = 'fedora_40';

type Program = readonly [node: string, file: string];

/** The command as it is installed, and as it is in the image: one file, on the oldest Node. */
const PROGRAMS: readonly (readonly [name: string, program: Program])[] = [
  ['as installed', [process.execPath, path.join(ROOT, 'bin/migration-update')]],
  ['as one file on Node 12', [await node12(), path.join(ROOT, 'lib/migration-update.cjs')]],
];

/** `migration-update run --json` as a process: its status and its record. */
async function runProgram(
  rig: MigrationRig,
  [node, program]: Program,
): Promise<readonly [code: number, record: RunRecord]> {
  const config = path.join(rig.dir, 'config.yaml');
  await writeFile(config, stringify(rig.config));
  const args = ['run', '--json', '--config', config, '--state', rig.paths.root];
  const child = spawn(node, [program, ...args], {
    env: { ...rig.environment() },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return [Number(code), JSON.parse(printed) as RunRecord];
}

/** `submitted/failed` of a system's architectures. */
function numbers(record: RunRecord, system: string): readonly string[] {
  const found = record.systems.find((each) => each.system === system);
  return (found?.architectures ?? []).map(({ submitted, failed }) => `${submitted}/${failed}`);
}

for (const [name, program] of PROGRAMS) {
  test(`${name}: a package appears upstream, its mirror breaks, submit refuses it, and it is submitted once`, () =>
    twoDays(program));
}

async function twoDays(program: Program): Promise<void> {
  await using rig = await MigrationRig.open();
  rig.config = {
    ...rig.config,
    systems: [...rig.config.systems, rig.system('fedora', '40', ['f', 'g'])],
    submit: { ...rig.config.submit, attempts: 2, retryDelaySeconds: 0 },
    fetch: { ...rig.config.fetch, attempts: 2, retryDelaySeconds: 0 },
  };
  await writeFile(path.join(rig.dir, 'fedora_40.yaml'), 'suite: rpmbuild\n');
  rig.publish('target', ['other-1.0', 'have-2.0'].map(pkg));
  rig.publish('f', ['f1-1.0', 'f2-1.0'].map(pkg), 'zst');
  const { repomdPath } = rig.publish('g', [pkg('g1-1.0')], 'xz');

  // The first night: one repository of Fedora is not there. The others are seeded.
  rig.server.serve(repomdPath, status(503));
  const [firstCode, first] = await runProgram(rig, program);
  assert.deepEqual([firstCode, first.outcome], [1, 'partial']);
  assert.deepEqual(rig.history(FEDORA), [rpm('f1-1.0'), rpm('f2-1.0')]);

  // Day one: `zlib` appears in Fedora, in two repositories; the mirror breaks off in the middle of one. The
  // other repository is there again, and is seeded: it does not flood.
  rig.publish('g', ['g1-1.0', 'g2-1.0'].map(pkg), 'xz');
  const { content, primaryPath } = rig.publish('f', ['f1-1.0', 'f2-1.0', 'zlib-1.3'].map(pkg));
  rig.server.serve(primaryPath, cutAfter(content, 60));
  const [dayOneCode, dayOne] = await runProgram(rig, program);
  assert.deepEqual([dayOneCode, dayOne.outcome], [1, 'partial']);
  assert.deepEqual(rig.calls(), []);
  assert.deepEqual(
    rig.history(FEDORA),
    ['f1', 'f2', 'g1', 'g2'].map((name) => rpm(`${name}-1.0`)),
  );

  // Later on day one: the mirror is whole; submit takes it for one architecture, refuses the other.
  rig.server.serve(primaryPath, file(content));
  await rig.how(`${rpm('zlib-1.3')}.x86_64`, 'exit-1');
  rig.publish('a', ['old-1.0', 'have-2.0', 'ave-2.0'].map(pkg));
  const [laterCode, later] = await runProgram(rig, program);
  assert.deepEqual([laterCode, later.outcome], [1, 'partial']);
  assert.deepEqual(numbers(later, FEDORA), ['1/0', '0/1']);
  assert.deepEqual(numbers(later, 'centos_9-stream'), ['1/0', '1/0']);
  assert.ok(!rig.history(FEDORA).includes(rpm('zlib-1.3')));
  assert.match(rig.logged('x86_64', 'submit-fail-list'), /zlib-1\.3/);

  // Day two: submit is well again. Only what is missing is submitted.
  await rig.forgetHow();
  const [dayTwoCode, dayTwo] = await runProgram(rig, program);
  assert.deepEqual([dayTwoCode, dayTwo.outcome], [0, 'ok']);
  assert.deepEqual(numbers(dayTwo, FEDORA), ['0/0', '1/0']);
  assert.deepEqual(rig.jobs(), onBoth(rpm('ave-2.0'), rpm('zlib-1.3')));
  assert.ok(rig.history(FEDORA).includes(rpm('zlib-1.3')));
  for (const architecture of ['aarch64', 'x86_64']) {
    const list = rig.logged(architecture, 'submit-succ-list').split('\n');
    assert.equal(
      list.filter((line) => /zlib-1\.3\S+ {2}z9\.\d+ \/srv\/result\//.test(line)).length,
      1,
    );
  }

  // And again: nothing is left to do.
  const [lastCode, last] = await runProgram(rig, program);
  assert.deepEqual([lastCode, last.outcome], [0, 'ok']);
  assert.equal(rig.jobs().length, 4);
}
