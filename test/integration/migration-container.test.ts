/**
 * The service as an operator has it: its image built from the stand-in for an openEuler mirror, started
 * in a Docker of the test's own, and stopped; a package that appears upstream is submitted.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Docker, openDocker } from '../rig/docker.ts';
import { openMirror } from '../rig/openeuler-mirror/mirror.ts';
import { primaryXml, repomdXml, type TestPackage } from '../rig/primary-xml.ts';
import { openRig, type Result, text } from '../rig/rig.ts';
import { type Answer, serve } from '../rig/small-server.ts';
import { git } from '../rig/source-repository.ts';

const IMAGE = 'openeuler-package-migration-update';
const CONTAINER = 'openeuler-package-update';
const OLD: TestPackage = { name: 'old', version: '1.0' };
const FRESH: TestPackage = { name: 'fresh', version: '2.0' };

const rig = await openRig();
after(() => rig[Symbol.asyncDispose]());

/** Stands in for lkp-tests: its `submit` says what the real one says. */
async function makeLkpTests(): Promise<string> {
  const dir = path.join(rig.dir, 'lkp-tests');
  await mkdir(path.join(dir, 'sbin'), { recursive: true });
  const submit = path.join(dir, 'sbin/submit');
  await writeFile(submit, '#!/bin/sh\necho "submit $1, got job id=z9.42"\n');
  await chmod(submit, 0o755);
  return commitAll(dir);
}

/** Stands in for EasyPackages: the job of one system. */
async function makeEasyPackages(): Promise<string> {
  const dir = path.join(rig.dir, 'easypackages');
  const jobs = path.join(dir, 'easypackages/watch_update_source/job_yaml');
  await mkdir(jobs, { recursive: true });
  await writeFile(path.join(jobs, 'centos_9-stream.yaml'), 'suite: rpmbuild-watch-update\n');
  return commitAll(dir);
}

function commitAll(dir: string): string {
  git(dir, 'init', '--quiet', '--initial-branch=master');
  git(dir, 'add', '--all');
  git(dir, 'commit', '--quiet', '--message', 'All of it');
  return dir;
}

/** What a repository with these packages answers. */
function answer(url: string, packages: readonly TestPackage[]): Answer {
  const content = gzipSync(primaryXml(packages));
  const href = 'repodata/primary.xml.gz';
  if (url.endsWith('/repodata/repomd.xml')) {
    return { status: 200, body: repomdXml({ href, content }) };
  }
  return url.endsWith(href) ? { status: 200, body: content } : { status: 404 };
}

async function writeConfig(upstream: string): Promise<string> {
  const repository = (id: string): string =>
    `{ id: ${id}, url: ${upstream}/${id}/repodata/repomd.xml }`;
  const file = path.join(rig.dir, 'migration.yaml');
  const lines = [
    `target: { os: openeuler, version: 24_03_LTS, repositories: [${repository('target')}] }`,
    'systems:',
    `- { os: centos, version: 9-stream, repositories: [${repository('source')}] }`,
    'limits: { newPercent: 100 }',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

function assertDone(result: Result): void {
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-4000));
}

/** Resolves when the container has said a line that matches. */
async function waitFor(docker: Docker, pattern: RegExp): Promise<void> {
  for (;;) {
    const said: string[] = [];
    if (await saysLine(docker.host, pattern, said)) {
      return;
    }
    // dockerd may end a log that is followed from its very beginning: the container says whether it is so.
    const state = docker.run(['inspect', '--format', '{{.State.Status}}', CONTAINER]).trim();
    assert.equal(state, 'running', `The container has ended, and said:\n${said.join('\n')}`);
  }
}

/** Follows what the container says, on both streams, until a line matches; whether one did. */
async function saysLine(host: string, pattern: RegExp, said: string[]): Promise<boolean> {
  const follow = ['--host', host, 'logs', '--follow', CONTAINER];
  const logs = spawn('sh', ['-c', 'exec /usr/bin/docker "$@" 2>&1', 'sh', ...follow], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const line of createInterface({ input: logs.stdout })) {
      said.push(line);
      if (pattern.test(line)) {
        return true;
      }
    }
    return false;
  } finally {
    logs.kill();
  }
}

test('the image is built and started, its scheduler runs, and its state outlives it', {
  timeout: 240_000,
}, async () => {
  await using mirror = await openMirror();
  await using docker = await openDocker();
  let packages = [OLD];
  await using upstream = await serve((url) =>
    answer(url, url.includes('/source/') ? packages : []),
  );
  const env = {
    DOCKER_HOST: docker.host,
    DIB_DISTRIBUTION_MIRROR: mirror.url,
    DIB_MIGRATION_MIRROR: 'https://mirror.example/openeuler',
    DIB_MIGRATION_LKP_URL: await makeLkpTests(),
    DIB_MIGRATION_EASYPACKAGES_URL: await makeEasyPackages(),
    DIB_MIGRATION_EASYPACKAGES_REF: 'master',
    DIB_MIGRATION_GEMS: '',
  };
  assertDone(await rig.run('migration-update', ['build'], { env }));
  assert.match(
    docker.run(['images', '--format', '{{.Repository}}']),
    new RegExp(`^${IMAGE}$`, 'm'),
  );

  const state = path.join(rig.dir, 'state');
  await mkdir(path.join(rig.home, '.config/compass-ci/defaults'), { recursive: true });
  await writeFile(path.join(rig.home, '.config/compass-ci/defaults/a.yaml'), 'SCHED_HOST: h\n');
  const start = [
    ...['start', '--runtime', 'docker', '--without', '/etc/compass-ci', '--network', 'host'],
    ...['--config', await writeConfig(upstream.url), '--state', state],
  ];
  const often = ['--', 'migration-update', 'schedule', '--cron', '* * * * * *'];
  assertDone(await rig.run('migration-update', [...start, ...often], { env }));
  const history = path.join(state, 'data/rpm_src_history_list_centos_9-stream');
  await waitFor(docker, /run of .* ended/);
  assert.match(await text(history), /\/old-1\.0-1\.el9\.src\.rpm old 1\.0\n$/);

  // The next run finds what has appeared, and the `submit` in the image is asked to build it.
  packages = [OLD, FRESH];
  await waitFor(docker, /x86_64: 1 new, 1 submitted/);
  const logs = (await readdir(path.join(state, 'log'))).filter((name) => name.includes('x86_64'));
  assert.match(
    await text(state, 'log', logs[0] ?? '', 'submit-succ-list'),
    /\/fresh-2\.0-1\.el9\.src\.rpm {2}z9\.42/,
  );
  const shown = docker.run(['exec', CONTAINER, 'sh', '-c', 'env; cat /etc/yum.repos.d/*.repo']);
  assert.match(shown, /^SCHED_HOST=h$/m);
  assert.match(shown, /^LKP_SRC=\/root\/lkp-tests$/m);
  assert.match(shown, /^baseurl=https:\/\/mirror\.example\/openeuler\/openEuler-22\.03-LTS\//m);
  assert.doesNotMatch(shown, /metalink|metadata_expire|127\.0\.0\.1:\d+\/openEuler/);

  // In the place of the first one: nothing is submitted again, and its usual command waits for 02:00.
  assertDone(await rig.run('migration-update', start, { env }));
  await waitFor(docker, /next run: .* 02:00:00/);
  const status = JSON.parse(
    docker.run(['exec', CONTAINER, 'migration-update', 'status', '--json']),
  );
  assert.equal(status.rows.filter((row: { submitted: number }) => row.submitted > 0).length, 2);
  assert.match(status.schedule.next, /:00\.000Z$/);

  const stopped = await rig.run('migration-update', ['stop', '--runtime', 'docker'], { env });
  assertDone(stopped);
  assert.equal(docker.run(['ps', '--all', '--quiet']), '');
  assert.match(await text(history), /fresh-2\.0/);

  // Somebody else's container of that name stays.
  docker.run(['tag', IMAGE, 'another']);
  docker.run(['create', '--name', CONTAINER, 'another']);
  const refused = await rig.run('migration-update', start, { env });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /is not the service's: it runs another[\s\S]*--replace/);
  assert.match(docker.run(['ps', '--all', '--format', '{{.Image}}']), /^another$/m);
});
