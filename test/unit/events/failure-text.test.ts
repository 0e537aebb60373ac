import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure, HookFailure } from '../../../src/events/failure.ts';
import {
  explainStatus,
  type FailureContext,
  quoteForPaste,
  quoteWord,
  renderFailure,
} from '../../../src/events/failure-text.ts';

const HOOK: HookFailure = {
  kind: 'hook',
  message: 'Hook "10-foo" failed',
  phase: 'install',
  hook: '10-foo',
  path: '/elements/bar/install.d/10-foo',
  element: 'bar',
  status: 127,
  lastLines: ['\u001b[31mfoo: not found\u001b[0m', 'proxy http://me:secret@host'],
  hint: 'Look at it',
};

const CASES: readonly (readonly [Failure, FailureContext, readonly string[]])[] = [
  [
    HOOK,
    { logFile: 'x.log', sourceLine: 'ignored' },
    [
      'ERROR: Hook "10-foo" failed',
      '  element  bar',
      '  phase    install',
      '  hook     10-foo',
      '  file     /elements/bar/install.d/10-foo',
      '  status   127 (a command, or the interpreter in the first line, was not found)',
      '',
      'The last lines that it printed:',
      '    foo: not found',
      '    proxy http://***@host',
      '',
      'What to do next:',
      '  Look at it',
      '  Get a shell where it failed:',
      '    break=after-error disk-image-create ...',
      '  Get a shell before it runs:',
      '    break=before-install.d/10-foo disk-image-create ...',
      '  The whole log: x.log',
    ],
  ],
  [
    {
      ...HOOK,
      status: 4,
      lastLines: [],
      cause: { kind: 'verify', message: 'Cannot verify "x"\nmore' },
    },
    {},
    [
      'ERROR: Hook "10-foo" failed',
      '  element  bar',
      '  phase    install',
      '  hook     10-foo',
      '  file     /elements/bar/install.d/10-foo',
      '  status   4',
      '  cause    Cannot verify "x"',
      '',
      'It printed nothing.',
      '',
      'What to do next:',
      '  Look at it',
      '  Get a shell where it failed:',
      '    break=after-error disk-image-create ...',
      '  Get a shell before it runs:',
      '    break=before-install.d/10-foo disk-image-create ...',
    ],
  ],
  [
    { kind: 'tool', message: 'mke2fs failed', argv: ['mke2fs', 'a b'], status: 137, lastLines: [] },
    {},
    [
      'ERROR: mke2fs failed',
      "  command  mke2fs 'a b'",
      '  status   137 (ended by SIGKILL, perhaps out of memory)',
      '',
      'It printed nothing.',
    ],
  ],
  [
    { kind: 'config', message: 'Cannot X', at: { file: 'd.yaml', line: 12, column: 6 } },
    { sourceLine: '\t\tsiez: 4' },
    ['ERROR: Cannot X', '  at d.yaml:12:6', '  12 |         siez: 4', '     |            ^'],
  ],
  [
    { kind: 'config', message: 'Cannot X', at: { file: 'd.yaml' }, hint: 'Do Y' },
    {},
    ['ERROR: Cannot X', '  at d.yaml', '', 'What to do next:', '  Do Y'],
  ],
  [
    { kind: 'usage', message: 'Unknown option "-z"', hint: 'Try --help' },
    { logFile: 'x.log' },
    ['ERROR: Unknown option "-z"', '', 'What to do next:', '  Try --help'],
  ],
  [
    { kind: 'config', message: '2 problems:\none\ntwo' },
    {},
    ['ERROR: 2 problems:', '  one', '  two'],
  ],
  [
    { kind: 'lock-busy', message: 'Waited too long', path: '/c/x.lock' },
    {},
    ['ERROR: Waited too long', '  path  /c/x.lock'],
  ],
  [{ kind: 'disk-full', message: 'No space', path: '' }, {}, ['ERROR: No space']],
  [{ kind: 'host', message: 'No qemu-img' }, {}, ['ERROR: No qemu-img']],
  [{ kind: 'verify', message: 'Wrong digest' }, {}, ['ERROR: Wrong digest']],
  [{ kind: 'interrupted', message: 'Interrupted', signal: 2 }, {}, ['ERROR: Interrupted']],
  [
    {
      kind: 'internal',
      message: 'x is undefined',
      stack: 'Error: x is undefined\n    at f (a.js:1)',
    },
    { version: '0.1.0' },
    [
      'INTERNAL ERROR: x is undefined',
      '    at f (a.js:1)',
      '  dibkit 0.1.0',
      '',
      'What to do next:',
      '  This is a bug in dibkit: please report it with the lines above',
    ],
  ],
];

test('renderFailure() says what happened, where, the last words and what to do next', () => {
  for (const [failure, context, expected] of CASES) {
    assert.deepEqual(renderFailure(failure, context), expected, failure.kind);
  }
});

test('renderFailure() repeats the command that was given', () => {
  const lines = renderFailure(HOOK, { command: 'disk-image-create vm' });
  assert.ok(lines.includes('    break=before-install.d/10-foo disk-image-create vm'));
});

const { element: _element, ...MADE } = HOOK;

const BREAK_POINTS: readonly (readonly [string, HookFailure, string])[] = [
  ['a hook of an element', HOOK, 'before-install.d/10-foo'],
  ['a hook that another one made', MADE, 'before-install'],
  ['a file before the hooks', { ...HOOK, path: '/e/bar/environment.d/10-foo' }, 'before-install'],
  ['another directory', { ...HOOK, path: '/e/bar/my-install.d/10-foo' }, 'before-install'],
  [
    'a name that a shell would split',
    { ...HOOK, hook: '10 foo', path: '/e/bar/install.d/10 foo' },
    "'before-install.d/10 foo'",
  ],
];

for (const [claim, failure, point] of BREAK_POINTS) {
  test(`renderFailure() names a break point that a build knows: ${claim}`, () => {
    const lines = renderFailure(failure, { command: 'again' });
    assert.ok(lines.includes(`    break=${point} again`), lines.join('\n'));
  });
}

test('explainStatus() names what shells mean', () => {
  assert.equal(explainStatus(3), '3');
  assert.equal(explainStatus(126), '126 (found, but it cannot be executed)');
  assert.equal(explainStatus(143), '143 (ended by SIGTERM)');
});

test('quoteWord() quotes only what a shell would change', () => {
  assert.equal(quoteWord('a/b-c.d=e:f'), 'a/b-c.d=e:f');
  assert.equal(quoteWord("it's $x"), "'it'\\''s $x'");
  assert.equal(quoteWord(''), "''");
});

test('quoteForPaste() keeps a word on one line', () => {
  assert.equal(quoteForPaste("it's"), "'it'\\''s'");
  assert.equal(quoteForPaste("a:deb 'x'\nb\\\u0007"), "$'a:deb \\'x\\'\\nb\\\\\\x07'");
});
