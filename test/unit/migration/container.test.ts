import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeStart,
  findListed,
  logsCommand,
  RUNTIMES,
  renderCommand,
  type StartSpec,
  startCommand,
} from '../../../src/migration/container/commands.ts';
import { containerEnvironment } from '../../../src/migration/container/environment.ts';
import { mergeSettings, type SettingsFile } from '../../../src/migration/container/settings.ts';

const SPEC: StartSpec = {
  runtime: 'docker',
  container: 'openeuler-package-update',
  image: 'openeuler-package-migration-update',
  state: 'openeuler-package-update',
  mounts: [{ source: '/srv', target: '/srv' }],
  environment: new Map([
    ['SCHED_HOST', { value: '172.17.0.1', secret: false }],
    ['my_token', { value: 'c0ffee', secret: true }],
  ]),
  command: [],
};

test('startCommand() for docker', () => {
  assert.deepEqual(startCommand(SPEC), [
    ...['docker', 'run', '--detach', '--name', 'openeuler-package-update'],
    ...['--label', 'org.dibkit.service=migration-update'],
    ...['--restart', 'unless-stopped', '--stop-timeout', '120', '--init'],
    ...['--log-driver', 'local'],
    ...['--volume', 'openeuler-package-update:/var/lib/migration-update'],
    ...['--volume', '/srv:/srv:ro', '--env', 'SCHED_HOST', '--env', 'my_token'],
    'openeuler-package-migration-update',
  ]);
});

for (const runtime of RUNTIMES) {
  test(`startCommand() for ${runtime} mounts read-only, and has no value of a variable`, () => {
    const argv = startCommand({ ...SPEC, runtime });
    assert.equal(argv[0], runtime);
    assert.ok(argv.includes('/srv:/srv:ro'));
    assert.ok(!argv.some((word) => word.includes('c0ffee') || word.includes('172.17.0.1')));
  });
}

test('describeStart() has the values of variables, but no secret', () => {
  const text = describeStart(SPEC).join('\n');
  assert.match(text, /^docker stop --time 120 openeuler-package-update$/m);
  assert.match(text, /^docker rm --force openeuler-package-update$/m);
  assert.match(text, /^SCHED_HOST=172\.17\.0\.1 my_token=\*\*\* docker run /m);
  assert.doesNotMatch(text, /c0ffee/);
});

test('logsCommand() shows all lines without a word for that, of which podman and docker have different ones', () => {
  assert.deepEqual(logsCommand('podman', 'c', { follow: false }), ['podman', 'logs', 'c']);
  const some = logsCommand('docker', 'c', { follow: true, tail: '3' });
  assert.deepEqual(some, ['docker', 'logs', '--follow', '--tail', '3', 'c']);
});

test('renderCommand() quotes for a shell', () => {
  assert.equal(renderCommand(['a', "b'c d", '']), "a 'b'\\''c d' ''");
});

const LISTING = [
  'other\tdebian:12\t',
  'mine\tregistry:5000/any@sha256:00\torg.dibkit.service=migration-update,x=y',
  'pod\tlocalhost/any:latest\tmap[org.dibkit.service:migration-update x:y]',
  'originals\topeneuler-package-migration-update\t',
  'pulled\tregistry:5000/team/openeuler-package-migration-update:2\t',
  'similar\tmy-openeuler-package-migration-update\torg.dibkit.service=other',
].join('\n');

const LISTED: readonly (readonly [string, boolean | undefined])[] = [
  ['other', false],
  ['mine', true],
  ['pod', true],
  ['originals', true],
  ['pulled', true],
  ['similar', false],
  ['absent', undefined],
];
for (const [name, ours] of LISTED) {
  test(`findListed(): ${name} is ${ours === undefined ? 'not there' : ours ? 'ours' : "somebody else's"}`, () => {
    assert.equal(findListed(LISTING, name)?.ours, ours);
  });
}

const file = (path: string, text: string, secret = false): SettingsFile => ({ path, text, secret });

test('mergeSettings(): later files win, values are text, and nothing in them is run', () => {
  const settings = mergeSettings([
    file('a', 'SCHED_HOST: a # the first\nSCHED_PORT: 03000\nlab: "z9"\nempty:\nSCHED-NAME: on\n'),
    file('b', 'SCHED_HOST: $(touch /tmp/x) `id` $HOME\nSCHED_NODES:\n- host: b\nmy_token: t\n'),
    file('c', 'ES_USER: root\n', true),
    file('d', ''),
  ]);
  assert.deepEqual(
    [...settings].map(([name, { value, secret }]) => [name, value, secret]),
    [
      ['SCHED_HOST', '$(touch /tmp/x) `id` $HOME', false],
      ['SCHED_PORT', '03000', false],
      ['lab', 'z9', false],
      ['empty', '', false],
      ['SCHED_NAME', 'on', false],
      ['my_token', 't', true],
      ['ES_USER', 'root', true],
    ],
  );
});

const BAD: readonly (readonly [string, number | undefined])[] = [
  ['a: 1\nb: [1\n', 3],
  ['- a\n', undefined],
];
for (const [text, line] of BAD) {
  test(`mergeSettings() refuses ${JSON.stringify(text)} without quoting it`, () => {
    assert.throws(
      () => mergeSettings([file('/etc/compass-ci/passwd.yaml', text, true)]),
      (error: { failure?: { at?: { file?: string; line?: number } } }) => {
        assert.equal(error.failure?.at?.file, '/etc/compass-ci/passwd.yaml');
        assert.equal(error.failure?.at?.line, line);
        return true;
      },
    );
  });
}

test('containerEnvironment() has what submit needs, and what was asked for', () => {
  const settings = mergeSettings([
    file('a', 'SCHED_HOST: h\nSCHED_PORT: 1\nES_HOST: e\nREDIS_PASSWD: p\n'),
  ]);
  const request = { settings, own: { http_proxy: 'http://p:1' }, timeZone: 'Asia/Shanghai' };
  const names = (wanted: readonly string[]): readonly string[] =>
    [...containerEnvironment({ ...request, wanted })].map(
      ([name, { value }]) => `${name}=${value}`,
    );
  assert.deepEqual(names([]), ['TZ=Asia/Shanghai', 'SCHED_HOST=h', 'SCHED_PORT=1']);
  assert.deepEqual(names(['REDIS_PASSWD', 'http_proxy', 'SCHED_PORT=2', 'TZ=UTC']), [
    ...['TZ=UTC', 'SCHED_HOST=h', 'SCHED_PORT=2', 'REDIS_PASSWD=p', 'http_proxy=http://p:1'],
  ]);
  assert.throws(() => names(['NOWHERE']), /Cannot pass 'NOWHERE' on/);
  assert.throws(() => names(['a b=c']), /Cannot pass 'a b=c' on/);
});
