/** The service as the one file that is in the image, on the oldest Node that it promises and on ours. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { MigrationRig, onBoth, pkg, rpm } from '../rig/migration.ts';
import { node12 } from '../rig/node12.ts';

const BUNDLE = fileURLToPath(new URL('../../lib/migration-update.cjs', import.meta.url));
const dir = await mkdtemp(path.join(tmpdir(), 'dibkit-bundle-'));
after(() => rm(dir, { recursive: true }));

const NODES = [
  { version: /^v12\./, node: await node12() },
  { version: /^v2\d\./, node: process.execPath },
];

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the bundle from a place where there is no package around it. */
function run(node: string, args: readonly string[], env = {}): Promise<Result> {
  const options = {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      HOME: dir,
      MIGRATION_UPDATE_STATE: path.join(dir, 'state'),
      ...env,
    },
  };
  return new Promise((resolve) => {
    execFile(node, [path.join(dir, 'bundle.cjs'), ...args], options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

await writeFile(path.join(dir, 'bundle.cjs'), await readFile(BUNDLE));

test('the bundle needs no file beside it, and no module but those of Node 12', async () => {
  const text = await readFile(BUNDLE, 'utf8');
  const wanted = [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name ?? '');
  const known = new Set(
    'assert buffer child_process constants crypto events fs http https module net os path perf_hooks process readline stream string_decoder tls tty url util worker_threads zlib'.split(
      ' ',
    ),
  );
  assert.deepEqual(
    wanted.filter((name) => !known.has(name)),
    [],
  );
});

for (const { version, node } of NODES) {
  test(`the bundle on Node ${version.source}: help, configuration, status, and a clear failure`, async () => {
    const which = await new Promise<string>((resolve, reject) => {
      execFile(node, ['--version'], (error, stdout) => (error ? reject(error) : resolve(stdout)));
    });
    assert.match(which, version);

    const help = await run(node, ['--help']);
    assert.deepEqual([help.status, help.stderr], [0, '']);
    assert.match(help.stdout, /^ {2}schedule /m);
    assert.doesNotMatch(help.stdout, /^ {2}(build|start) /m);

    const config = await run(node, ['config']);
    assert.deepEqual([config.status, config.stderr], [0, '']);
    assert.match(config.stdout, /cron: 0 2 \* \* \*/);

    const status = await run(node, ['status', '--json']);
    assert.deepEqual([status.status, status.stderr], [0, '']);
    assert.deepEqual(JSON.parse(status.stdout), { runs: [], rows: [], systems: [], troubles: [] });

    const bad = await run(node, ['config'], {
      MIGRATION_UPDATE_CONFIG: '/nonexistent/config.yaml',
    });
    assert.equal(bad.status, 2);
    assert.match(bad.stderr, /^ERROR: .*'\/nonexistent\/config\.yaml': ENOENT/);
  });
}

for (const { version, node } of NODES) {
  test(`the bundle on Node ${version.source}: a dry run, runs, and what they did`, async () => {
    await using rig = await MigrationRig.open();
    const config = path.join(rig.dir, 'config.yaml');
    await writeFile(config, stringify(rig.config));
    const env = {
      ...rig.environment(),
      MIGRATION_UPDATE_CONFIG: config,
      MIGRATION_UPDATE_STATE: rig.paths.root,
    };
    const done = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(node, args, env);
      assert.deepEqual([status, stderr], [0, ''], stdout);
      return stdout;
    };
    await done('run', '--dry-run');
    assert.equal(existsSync(rig.paths.root), false);
    await done('run');
    // What Node itself unpacks, and what tools do.
    rig.publish('a', ['old-1.0', 'new-1.0'].map(pkg), 'xz');
    rig.publish('b', ['bold-1.0', 'new-2.0'].map(pkg), 'bz2');
    rig.publish('target', [pkg('else-1.0')], 'zst');
    await done('run', '--dry-run');
    assert.deepEqual(rig.jobs(), []);
    await done('run');
    assert.deepEqual(rig.jobs(), onBoth(rpm('new-1.0'), rpm('new-2.0')));
    const status = JSON.parse(await done('status', '--json'));
    assert.deepEqual(
      status.rows.map((row: Record<string, unknown>) => [row.run, row.architecture, row.submitted]),
      [
        [2, 'aarch64', 2],
        [2, 'x86_64', 2],
        [1, 'aarch64', 0],
        [1, 'x86_64', 0],
      ],
    );
    assert.match(await done('status', '--html'), /^<!doctype html>/);
    assert.match(await done('status'), /^ {2}2 {2}.* centos_9-stream {2}aarch64 /m);
  });

  test(`the bundle on Node ${version.source}: the service waits, and ends when it is told to`, async () => {
    const state = path.join(dir, `state-${version.source}`);
    const child = spawn(
      node,
      [path.join(dir, 'bundle.cjs'), 'schedule', '--state', state, '--time-zone', 'Asia/Shanghai'],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH } },
    );
    const ended = once(child, 'exit');
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line.replace(/^.* \| /, ''));
      if (line.includes('next run')) {
        child.kill('SIGTERM');
      }
    }
    assert.deepEqual(await ended, [0, null]);
    assert.equal(said[0], "scheduler started: '0 2 * * *' in Asia/Shanghai");
    assert.match(said[1] ?? '', /^next run: \d{4}-\d\d-\d\d 02:00:00$/);
    assert.deepEqual(said.slice(2), ['stopped']);
    assert.deepEqual((await readdir(state)).sort(), ['data', 'log', 'runs', 'schedule.json']);
  });
}
