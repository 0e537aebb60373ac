import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseContainerFile } from '../../../src/plan/container-file.ts';
import { planContainer } from '../../../src/plan/container-plan.ts';
import { platformOf } from '../../../src/plan/container-platform.ts';
import {
  fullReference,
  parseReference,
  referenceFromName,
  renderReference,
} from '../../../src/plan/container-reference.ts';
import { mergeSettings } from '../../../src/plan/container-settings.ts';
import { settingsFromVariables } from '../../../src/plan/container-variables.ts';
import { Problems } from '../../../src/plan/problems.ts';

/** A file's settings, and its problems as `LINE MESSAGE`. */
function parse(text: string, variables: Record<string, string> = {}) {
  const problems = new Problems();
  const settings = parseContainerFile({ text, file: 'x.yaml', variables }, problems);
  return { settings, problems: problems.found.map(({ at, message }) => `${at?.line} ${message}`) };
}

test('parseContainerFile() reads every key', () => {
  const text = `
env: {A: 1, B: '', PATH: /x:$PATH}
workdir: /root
entrypoint: [/bin/tool, --flag]
cmd: run me
user: app:staff
labels: {org.example.version: 1.10}
ports: [80, 0053/udp]
volumes: /data
author: Somebody <a@b>
stop-signal: SIGRTMIN+3
`;
  assert.deepEqual(parse(text), {
    settings: {
      env: { A: '1', B: '', PATH: '/x:$PATH' },
      workdir: '/root',
      entrypoint: ['/bin/tool', '--flag'],
      cmd: ['/bin/sh', '-c', 'run me'],
      user: 'app:staff',
      labels: { 'org.example.version': '1.10' },
      ports: ['80/tcp', '53/udp'],
      volumes: ['/data'],
      author: 'Somebody <a@b>',
      'stop-signal': 'SIGRTMIN+3',
    },
    problems: [],
  });
  assert.deepEqual(parse(''), { settings: {}, problems: [] });
});

const WRONG = [
  ['enviroment: {}', '1 Unknown key "enviroment"'],
  ['env: {}\nenv: {}', '2 Cannot parse YAML: Map keys must be unique'],
  ['- a', '1 Settings of a container must be a map'],
  ['cmd:', '1 Key "cmd" has no value'],
  ['cmd: {a: b}', '1 Key "cmd" must be a list'],
  ['cmd: [[a]]', '1 An item of "cmd" must be a single value'],
  ['env: [A=b]', '1 Key "env" must be a map from names to values'],
  ['env:\n  A:', `2 "A" of "env" must be a single value; write '' for an empty one`],
  ['env:\n  A=B: c', '2 Key "env" must have a name without = or blanks: "A=B"'],
  ['\nworkdir: root', '2 Key "workdir" is "root", expected an absolute path'],
  [
    'ports: [http]',
    '1 Key "ports" is "http", expected a port from 1 to 65535, as 80, 80/tcp, 53/udp or 7/sctp',
  ],
  [
    'ports: [65536]',
    '1 Key "ports" is "65536", expected a port from 1 to 65535, as 80, 80/tcp, 53/udp or 7/sctp',
  ],
  ['volumes: [data]', '1 Key "volumes" is "data", expected an absolute path'],
  ['user: [a]', '1 Key "user" must be a single value'],
  ['user: a b', '1 Key "user" is "a b", expected USER, UID, USER:GROUP or UID:GID'],
  [
    'stop-signal: TERM',
    '1 Key "stop-signal" is "TERM", expected a signal such as SIGTERM, SIGRTMIN+3 or 15',
  ],
  ['author: ${DIB_NOBODY}', '1 The variable DIB_NOBODY is not set'],
  ['author: [', '1 Cannot parse YAML: Flow sequence in block collection must be sufficiently'],
] as const;

test('parseContainerFile() says what is wrong and where', () => {
  for (const [text, problem] of WRONG) {
    const [first = ''] = parse(text).problems;
    assert.ok(first.startsWith(problem), `${text}: ${first}`);
  }
  assert.equal(parse('a: 1\nb: 2\nuser: a b').problems.length, 3);
});

test('parseContainerFile() puts variables of the build in, and leaves those of the container', () => {
  const text =
    'env: {A: "${DIB_X}/${DIB_Y:-z}", B: "${DIB_Y:-}", C: "$DIB_X ${HOME} $$"}\ncmd: ["${DIB_X}"]';
  const { settings, problems } = parse(text, { DIB_X: 'x y', DIB_Y: '', HOME: '/h' });
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, {
    env: { A: 'x y/z', B: '', C: '$DIB_X ${HOME} $$' },
    cmd: ['x y'],
  });
});

test('mergeSettings() merges maps, collects ports, replaces the rest', () => {
  const below = {
    env: { A: '1', B: '1' },
    ports: ['1/tcp'],
    cmd: ['below'],
    user: 'u',
    volumes: ['/a'],
  };
  assert.deepEqual(mergeSettings(below, {}), below);
  assert.deepEqual(
    mergeSettings(below, { env: { B: '2' }, ports: ['2/tcp', '1/tcp'], cmd: ['above'] }),
    { ...below, env: { A: '1', B: '2' }, ports: ['1/tcp', '2/tcp'], cmd: ['above'] },
  );
});

test('mergeSettings() takes the command of another entry point away', () => {
  const below = { entrypoint: ['/bin/sh'], cmd: ['-l'] };
  assert.deepEqual(mergeSettings(below, { entrypoint: ['/app'] }), { entrypoint: ['/app'] });
  assert.deepEqual(mergeSettings(below, { cmd: ['-c', 'x'] }), {
    entrypoint: ['/bin/sh'],
    cmd: ['-c', 'x'],
  });
});

test('settingsFromVariables() reads lines, words, lists and commands', () => {
  const problems = new Problems();
  const settings = settingsFromVariables(
    {
      DIB_CONTAINER_ENV: 'A=b=c\n\n B=\n',
      DIB_CONTAINER_LABELS: 'l=v w',
      DIB_CONTAINER_PORTS: '80, 53/udp',
      DIB_CONTAINER_VOLUMES: '/a /b',
      DIB_CONTAINER_ENTRYPOINT: '["/bin/a", "b c"]',
      DIB_CONTAINER_CMD: 'echo hi',
      DIB_CONTAINER_USER: '',
      DIB_CONTAINER_STOP_SIGNAL: '9',
      // Of upstream's element containerfile.
      DIB_CONTAINER_CONTEXT: 'somewhere',
    },
    problems,
  );
  assert.deepEqual(problems.found, []);
  assert.deepEqual(settings, {
    env: { A: 'b=c', B: '' },
    labels: { l: 'v w' },
    ports: ['80/tcp', '53/udp'],
    volumes: ['/a', '/b'],
    entrypoint: ['/bin/a', 'b c'],
    cmd: ['/bin/sh', '-c', 'echo hi'],
    'stop-signal': '9',
  });
});

test('planContainer() reports every variable that it cannot use, with its value', () => {
  const said: string[] = [];
  planContainer(
    {
      target: 'Web',
      imageName: 'image',
      variables: {
        DIB_CONTAINER_COMPRESSION: 'xz',
        DIB_CONTAINER_ENV: 'A',
        DIB_CONTAINER_CMD: '["a", 1]',
        DIB_CONTAINER_PORTS: '80 x',
        DIB_CONTAINER_WORKDIR: 'here',
      },
    },
    (problem) => said.push(problem),
  );
  assert.deepEqual(said, [
    "--docker-target must be a name as REPO:TAG, in lower case: 'Web'",
    "DIB_CONTAINER_COMPRESSION must be none, gzip, zstd: 'xz'",
    "DIB_CONTAINER_ENV must hold NAME=VALUE, one a line: 'A'",
    "DIB_CONTAINER_WORKDIR must be an absolute path: 'here'",
    `DIB_CONTAINER_CMD must be a JSON list of texts, or a command: '["a", 1]'`,
    "DIB_CONTAINER_PORTS must hold a port from 1 to 65535, as 80, 80/tcp, 53/udp or 7/sctp: 'x'",
  ]);
});

const NAMES = [
  ['web', 'web:latest', 'docker.io/library/web:latest'],
  ['web:1.0', 'web:1.0', 'docker.io/library/web:1.0'],
  ['team/web_a', 'team/web_a:latest', 'docker.io/team/web_a:latest'],
  ['localhost/web', 'localhost/web:latest', 'localhost/web:latest'],
  ['Host.example:5000/a/b:T', 'Host.example:5000/a/b:T', 'Host.example:5000/a/b:T'],
] as const;

test('parseReference() knows names with and without host and tag', () => {
  for (const [text, rendered, full] of NAMES) {
    const name = parseReference(text);
    assert.ok(name !== undefined, text);
    assert.equal(renderReference(name), rendered);
    assert.equal(fullReference(name), full);
  }
  for (const text of ['', 'Web', 'a b', 'a:', 'a:b:c', '-a', 'a/', '/a', 'a..b', 'a:-t', 'a@b']) {
    assert.equal(parseReference(text), undefined, text);
  }
});

test('referenceFromName() makes a name of whatever the file is called', () => {
  for (const [file, repository] of [
    ['out/Web Server_1.0', 'web-server-1-0'],
    ['openeuler-package-migration-update', 'openeuler-package-migration-update'],
    ['...', 'image'],
  ] as const) {
    const name = referenceFromName(file);
    assert.deepEqual(name, { repository, tag: 'latest' });
    assert.deepEqual(parseReference(renderReference(name)), name);
  }
});

test('platformOf() knows the words of Debian, of the kernel and of registries', () => {
  const render = (arch: string): string => Object.values(platformOf(arch)).join('/');
  for (const [arch, platform] of [
    ['amd64', 'linux/amd64'],
    ['x86_64', 'linux/amd64'],
    ['arm64', 'linux/arm64/v8'],
    ['aarch64', 'linux/arm64/v8'],
    ['armhf', 'linux/arm/v7'],
    ['i386', 'linux/386'],
    ['ppc64el', 'linux/ppc64le'],
    ['riscv64', 'linux/riscv64'],
  ] as const) {
    assert.equal(render(arch), platform);
  }
});
