import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repeatCommand } from '../../../src/plan/repeat-command.ts';

const ROWS: readonly (readonly [
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  command: string,
])[] = [
  [['vm', 'a b'], {}, "disk-image-create vm 'a b'"],
  [['vm'], { HOME: '/root', break: 'before-root', PATH: '/bin' }, 'disk-image-create vm'],
  [
    ['vm'],
    { DIB_RELEASE: 'stable', ELEMENTS_PATH: "/it's" },
    "DIB_RELEASE=stable ELEMENTS_PATH='/it'\\''s' disk-image-create vm",
  ],
  [
    ['vm'],
    { DIB_DEV_USER_PASSWORD: 'hunter2' },
    'DIB_DEV_USER_PASSWORD="$DIB_DEV_USER_PASSWORD" disk-image-create vm',
  ],
];

for (const [argv, environment, command] of ROWS) {
  test(`repeatCommand() says ${command}`, () => {
    assert.equal(repeatCommand(['disk-image-create', ...argv], environment), command);
  });
}
