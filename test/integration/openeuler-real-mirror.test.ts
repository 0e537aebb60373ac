/** The switch that has the tests of openEuler run against a real mirror: to one on loopback, as if it were. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { openMirror } from '../rig/openeuler-mirror/mirror.ts';
import { chooseMirror, REAL_MIRROR } from '../rig/openeuler-mirror/real-mirror.ts';
import { ROOT } from '../rig/run-hook.ts';

const RELEASES = ['22.03-LTS', '22.03-LTS-SP4'];
/** Nobody listens there. Source: tcpmux of RFC 1078. */
const NOBODY = 'http://127.0.0.1:1';

/** What the quick test of openeuler.test.ts says about a mirror. */
async function runSuite(mirror: string): Promise<string> {
  const args = ['--import', 'tsx', '--test', '--test-reporter=tap'];
  const suite = ['--test-name-pattern=^the mirror has', 'test/integration/openeuler.test.ts'];
  // Without the variables by which this test's runner would take it for one of its own.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const env = { ...environment, [REAL_MIRROR]: mirror };
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, ...suite], { cwd: ROOT, env }, (_error, stdout) =>
      resolve(stdout),
    );
  });
}

test('the tests of openEuler run against the mirror that is named', async () => {
  await using mirror = await openMirror();
  const said = await runSuite(`${mirror.url}/`);
  assert.match(said, /^ok \d+ - the mirror has what the elements ask it for$/m, said);
  assert.ok(
    mirror.requests.includes('HEAD /openEuler-22.03-LTS/OS/x86_64/repodata/repomd.xml 200'),
  );
});

test('they fail where it lacks something', async () => {
  await using mirror = await openMirror({ faults: [{ kind: 'no-docker-img' }] });
  assert.match(await runSuite(mirror.url), /^not ok \d+ - the mirror has/m);
});

test('they are skipped, and say why, where it does not answer', async () => {
  assert.match(
    await runSuite(NOBODY),
    /^ok \d+ - the mirror has .* # SKIP http:.*repomd\.xml cannot be reached: /m,
  );
  await using mirror = await openMirror();
  const chosen = await chooseMirror(mirror.url, [...RELEASES, '99.03-LTS']);
  const missing = `${mirror.url}/openEuler-99.03-LTS/OS/x86_64/repodata/repomd.xml answers 404`;
  assert.deepEqual(chosen, { skip: missing });
});

test('a slash at the end of its name does not matter', async () => {
  await using mirror = await openMirror();
  const chosen = await chooseMirror(`${mirror.url}/`, RELEASES);
  assert.ok('url' in chosen);
  assert.deepEqual([chosen.url, chosen.real], [mirror.url, true]);
});
