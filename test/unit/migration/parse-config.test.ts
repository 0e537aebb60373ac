import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { DEFAULT_CONFIG } from '../../../src/migration/default-config.ts';
import { parseConfig } from '../../../src/migration/parse-config.ts';

const FILE = 'config.yaml';

test('an empty file is the default configuration, and what is printed of it reads as the same', () => {
  assert.deepEqual(parseConfig('', FILE), DEFAULT_CONFIG);
  assert.deepEqual(parseConfig('# nothing\n', FILE), DEFAULT_CONFIG);
  assert.deepEqual(parseConfig(stringify(DEFAULT_CONFIG), FILE), DEFAULT_CONFIG);
});

test('a version that looks like a number is the text that was written', () => {
  const text = `
systems:
  - os: fedora
    version: 40.10
    repositories:
      - http://mirror.test/fedora/repodata/repomd.xml
      - { id: updates, url: 'http://mirror.test/updates/repodata/repomd.xml', enabled: false }
jobDirectory: /jobs
submit: { parallel: 4, arguments: [a=b] }
`;
  const config = parseConfig(text, FILE);
  assert.deepEqual(config.systems, [
    {
      os: 'fedora',
      version: '40.10',
      job: '/jobs/fedora_40.10.yaml',
      repositories: [
        {
          id: 'http://mirror.test/fedora/repodata/repomd.xml',
          url: 'http://mirror.test/fedora/repodata/repomd.xml',
          enabled: true,
        },
        { id: 'updates', url: 'http://mirror.test/updates/repodata/repomd.xml', enabled: false },
      ],
    },
  ]);
  assert.deepEqual(config.submit, { ...DEFAULT_CONFIG.submit, parallel: 4, arguments: ['a=b'] });
});

const REPOSITORY = "- { id: a, url: 'http://m.test/repodata/repomd.xml' }";

const WRONG = [
  ['no YAML', 'submit: [', /config/i, 1],
  ['no map', '- a\n', /the configuration must be a map with target/, 1],
  ['an unknown key', 'limits:\n  perrun: 5\n', /limits\.perrun must be left out/, 2],
  ['a number out of range', 'submit:\n  parallel: 0\n', /submit\.parallel must be a whole/, 2],
  ['text for a number', 'fetch:\n  attempts: many\n', /fetch\.attempts must be/, 2],
  ['a path as a name', 'architectures: [../x]\n', /architectures\[0\] must be a name/, 1],
  ['a repeated architecture', 'architectures: [a, a]\n', /'a' is there twice/, 1],
  [
    'a URL of another scheme',
    'target: {os: a, version: b, repositories: ["file:///r/repomd.xml"]}',
    /https?/,
    1,
  ],
  [
    'a URL with a password',
    'target: {os: a, version: b, repositories: ["http://u:p@h/repomd.xml"]}',
    /credentials/,
    1,
  ],
  [
    'a target without repositories',
    'target: {os: a, version: b}',
    /target must be a map with repositories/,
    1,
  ],
  [
    'a system without a version',
    `systems:\n  - os: a\n    repositories:\n      ${REPOSITORY}\n`,
    /systems\[0\] must be a map with os and version/,
    2,
  ],
  [
    'two repositories with one id',
    `target:\n  os: a\n  version: b\n  repositories:\n    ${REPOSITORY}\n    ${REPOSITORY}\n`,
    /'a' is there twice/,
    5,
  ],
  ['a cron line of four fields', 'schedule: { cron: "0 2 * *" }', /five fields/, 1],
  ['a relative job directory', 'jobDirectory: jobs', /absolute path/, 1],
] as const;

for (const [what, text, message, line] of WRONG) {
  test(`parseConfig() refuses ${what} and says where`, () => {
    assert.throws(
      () => parseConfig(text, FILE),
      (error: {
        failure?: { kind: string; message: string; at?: { file: string; line?: number } };
      }) => {
        assert.equal(error.failure?.kind, 'config');
        if (what !== 'no YAML') {
          assert.match(error.failure?.message ?? '', message);
        }
        assert.deepEqual(error.failure?.at, { file: FILE, line });
        return true;
      },
    );
  });
}
