/** The service as the one file that is in the image, on the oldest Node that it promises and on ours. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
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
    assert.match(help.stdout, /^ {2}status /m);
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
