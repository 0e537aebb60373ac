import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { type CiSystem, ciSystem } from '../../../src/events/ci-log.ts';
import type { BuildEvent, EventBody } from '../../../src/events/event.ts';
import { PlainConsole } from '../../../src/events/plain-console.ts';

const AT = 1_700_000_000_900;

function shown(system: CiSystem, bodies: readonly EventBody[]): string {
  const stream = new PassThrough();
  const ci = { system, workspace: '/ws' };
  const console = new PlainConsole(stream, { timestamps: false, ci });
  for (const body of bodies) {
    console.receive({ ...body, at: AT } as BuildEvent);
  }
  return String(stream.read() ?? '');
}

const PHASE: readonly EventBody[] = [
  { kind: 'phase-start', phase: 'install', where: 'target', dir: '/x/install.d', hooks: ['10-a'] },
  { kind: 'output', line: 'hello' },
];

test('ciSystem() knows the systems with groups, and that CI alone is one without', () => {
  const table = [
    [{}, undefined],
    [{ CI: 'false' }, undefined],
    [{ CI: '' }, undefined],
    [{ CI: 'true' }, 'other'],
    [{ CI: '1' }, 'other'],
    [{ CI: 'true', GITHUB_ACTIONS: 'true' }, 'github'],
    [{ CI: 'true', GITLAB_CI: 'true' }, 'gitlab'],
  ] as const;
  for (const [environment, system] of table) {
    assert.equal(ciSystem(environment), system, JSON.stringify(environment));
  }
});

test('a phase is a group, closed before its failure is told', () => {
  const failure = {
    kind: 'hook',
    message: 'Hook failed',
    phase: 'install',
    hook: '10-a',
    path: '/ws/elements/a,b/10-a',
    status: 1,
    lastLines: ['50% done', 'oh'],
    hint: 'Try again',
  } as const;
  const events = [...PHASE, { kind: 'build-end', durationMs: 1, failure }] as const;
  assert.equal(
    shown('github', events),
    '::group::Phase install: 1 hook\nhello\n::endgroup::\n' +
      '::error file=elements/a%2Cb/10-a,title=disk-image-create::' +
      'Hook failed%0A50%25 done%0Aoh%0ATry again\n',
  );
  assert.equal(
    shown('gitlab', events),
    '\u001b[0Ksection_start:1700000000:phase-install-1700000000900[collapsed=true]\r\u001b[0KPhase install: 1 hook\n' +
      'hello\n\u001b[0Ksection_end:1700000000:phase-install-1700000000900\r\u001b[0K\n',
  );
  assert.equal(shown('other', events), 'hello\n');
});

test('a configuration error is placed by line, and a file outside of the checkout keeps its path', () => {
  const at = { file: '/etc/disk.yaml', line: 3 };
  const failure = { kind: 'config', message: 'Wrong', at } as const;
  assert.equal(
    shown('github', [{ kind: 'build-end', durationMs: 1, failure }]),
    '::error file=/etc/disk.yaml,line=3,title=disk-image-create::Wrong\n',
  );
});

test('a step is a group with a name that GitLab takes, and closes one that was left open', () => {
  const events = [
    ...PHASE,
    { kind: 'step-start', step: 'write tar', detail: 'Writing image.tar' },
    { kind: 'step-end', step: 'write tar', durationMs: 1 },
    { kind: 'build-end', durationMs: 1 },
  ] as const;
  const lines = shown('gitlab', events)
    .replaceAll('\u001b[0K', '')
    .replaceAll('\r', ' ')
    .split('\n');
  assert.deepEqual(lines, [
    'section_start:1700000000:phase-install-1700000000900[collapsed=true] Phase install: 1 hook',
    'hello',
    'section_end:1700000000:phase-install-1700000000900 ',
    'section_start:1700000000:step-write-tar-1700000000900[collapsed=true] Writing image.tar',
    'Writing image.tar',
    'section_end:1700000000:step-write-tar-1700000000900 ',
    'Build completed successfully',
    '',
  ]);
});
