/** What `start` and `logs` say when they cannot do it, by a stand-in for the client of a runtime. */
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { openRig, type Result, text } from '../rig/rig.ts';

const rig = await openRig();
after(() => rig[Symbol.asyncDispose]());

/** A `docker` whose service does as `script` says; what it was asked is in `asked`. */
const bin = path.join(rig.dir, 'bin');
const asked = path.join(rig.dir, 'asked');
async function docker(script: string): Promise<void> {
  await mkdir(bin, { recursive: true });
  await writeFile(asked, '');
  await writeFile(path.join(bin, 'docker'), `#!/bin/sh\necho "$*" >>${asked}\n${script}\n`);
  await chmod(path.join(bin, 'docker'), 0o755);
}

const PATH = `${bin}:${process.env.PATH}`;
const run = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Result> => rig.run('migration-update', args, { env: { PATH, ...env } });

const WITHOUT = ['--without', '/srv', '--without', '~/.config', '--without', '/etc/compass-ci'];

test('start names everything that cannot be mounted, and asks the runtime for nothing', async () => {
  await docker('exit 0');
  const { status, stderr } = await run([
    'start',
    '--without',
    '/etc/compass-ci',
    '--mount',
    '/no/1',
  ]);
  assert.equal(status, 3);
  assert.match(stderr, /Cannot mount '\S+\/\.config' \(missing\), '\/no\/1' \(missing\)/);
  assert.match(stderr, /do without: --without \S+\/\.config$/m);
  assert.equal(await text(asked), '');

  const mine = await run(['start', ...WITHOUT, '--mount', '/no/1']);
  assert.match(mine.stderr, /Give the path of what is there/);
});

test('start --dry-run shows the commands, and says what would keep them from working', async () => {
  await docker('exit 0');
  const { status, stdout, stderr } = await run(['start', '--dry-run', '--mount', '/no/1']);
  assert.equal(status, 0);
  assert.match(stdout, /^TZ=\S+ docker run /m);
  assert.match(stderr, /^Warning: Cannot mount .*'\/no\/1' \(missing\)/m);
  assert.equal(await text(asked), '');
});

const REFUSED: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a time zone', ['start', '--time-zone', 'Mars/X', '--dry-run'], /time zone 'Mars\/X'/],
  ['a time zone', ['status', '--time-zone', 'Mars/X'], /time zone 'Mars\/X'/],
  ['a number of lines', ['logs', '--tail', 'all'], /'--tail' needs a number of lines: 'all'/],
  ['a file that is not there', ['start', '--config', '/no/c.yaml'], /'\/no\/c\.yaml': ENOENT/],
];
for (const [what, args, message] of REFUSED) {
  test(`${args[0]} refuses ${what}`, async () => {
    await docker('exit 0');
    const { status, stderr } = await run(args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
    assert.equal(await text(asked), '');
  });
}

test('start refuses a configuration that the service would refuse', async () => {
  await docker('exit 0');
  const file = path.join(rig.dir, 'wrong.yaml');
  await writeFile(file, 'limits: {}\ntaget: {}\n');
  const { status, stderr } = await run(['start', ...WITHOUT, '--config', file]);
  assert.equal(status, 2);
  assert.match(stderr, /taget must be left out[\s\S]*wrong\.yaml:2/);
  assert.equal(await text(asked), '');
});

test('a service that does not answer is not taken for an image that is not there', async () => {
  await docker('echo "Cannot connect to the daemon" >&2; exit 1');
  for (const args of [['start', ...WITHOUT], ['stop'], ['logs']]) {
    const { status, stderr } = await run(args);
    assert.equal(status, 1);
    assert.match(stderr, /Does the service of docker run, and may you use it\?/, args[0]);
  }
});

test('logs says which container is not there', async () => {
  await docker('exit 0');
  const { status, stderr } = await run(['logs', '--name', 'mine']);
  assert.equal(status, 2);
  assert.match(stderr, /There is no container 'mine'[\s\S]*migration-update start/);
});

test('schedule and status refuse a TZ that is no zone', async () => {
  for (const verb of ['schedule', 'status']) {
    const { status, stderr } = await run([verb, '--state', path.join(rig.dir, 's')], {
      TZ: 'Mars/X',
    });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /Cannot use the time zone/);
  }
});
