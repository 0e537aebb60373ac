import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, EventBody } from '../../../src/events/event.ts';
import {
  INITIAL_LOG_STATE,
  logLines,
  nextLogState,
  renderTimestamp,
} from '../../../src/events/lines.ts';
import { renderProfile } from '../../../src/events/profile.ts';

function log(bodies: readonly EventBody[]): string[] {
  let state = INITIAL_LOG_STATE;
  const lines: string[] = [];
  for (const body of bodies) {
    const event: BuildEvent = { ...body, at: 0 };
    lines.push(...logLines(event, state));
    state = nextLogState(state, event);
  }
  return lines;
}

const CASES: readonly (readonly [EventBody, readonly string[]])[] = [
  [
    {
      kind: 'build-start',
      version: '3.40.0',
      elements: ['vm', 'debian-minimal'],
      expanded: ['base', 'debian-minimal', 'vm'],
      imageName: 'image',
      imageTypes: ['qcow2'],
      buildDir: '/tmp/dib_build.abc',
    },
    [
      'diskimage-builder version 3.40.0',
      'Building elements: vm debian-minimal',
      'Expanded element dependencies to: base debian-minimal vm',
      'Building in /tmp/dib_build.abc',
    ],
  ],
  [{ kind: 'message', level: 'info', text: 'one\ntwo' }, ['one', 'two']],
  [{ kind: 'message', level: 'warning', text: 'careful' }, ['Warning: careful']],
  [{ kind: 'element-hooks', element: 'vm' }, ['Copying hooks for vm']],
  [
    { kind: 'phase-start', phase: 'root', where: 'host', dir: '/b/hooks/root.d', hooks: [] },
    ['Running hooks from /b/hooks/root.d'],
  ],
  [
    { kind: 'phase-start', phase: 'install', where: 'target', dir: '/tmp/x/install.d', hooks: [] },
    [],
  ],
  [
    { kind: 'environment-file', path: '/h/environment.d/10-x.bash' },
    ['dib-run-parts Sourcing environment file /h/environment.d/10-x.bash'],
  ],
  [
    { kind: 'hooks-ignored', reason: 'not-executable', names: ['10-a', '20-b'] },
    ['dib-run-parts Ignoring non-executable files: 10-a 20-b'],
  ],
  [
    { kind: 'hooks-ignored', reason: 'name', names: ['10-a.sh'] },
    ['dib-run-parts Ignoring non-conforming filenames: 10-a.sh'],
  ],
  [
    { kind: 'hook-start', hook: '10-a', path: '/h/root.d/10-a', element: 'vm' },
    ['dib-run-parts Running /h/root.d/10-a'],
  ],
  [{ kind: 'hook-end', hook: '10-a', status: 0, durationMs: 1 }, ['dib-run-parts 10-a completed']],
  [{ kind: 'hook-end', hook: '10-a', status: 3, durationMs: 1 }, []],
  [{ kind: 'output', line: ' set +o xtrace \u001b[1m' }, [' set +o xtrace \u001b[1m']],
  [{ kind: 'output', line: '' }, ['']],
  [{ kind: 'phase-end', phase: 'root', durationMs: 1, ok: false }, []],
  [{ kind: 'step-start', step: 'size', detail: 'Calculating' }, ['Calculating']],
  [{ kind: 'step-end', step: 'size', durationMs: 1 }, []],
  [
    { kind: 'artifact-renamed', from: 'a.qcow2', to: 'a-2.qcow2' },
    ['Renamed the existing a.qcow2 to a-2.qcow2'],
  ],
  [
    { kind: 'artifact', type: 'qcow2', path: 'a.qcow2', sizeBytes: 1 },
    ['Image file a.qcow2 created...'],
  ],
  [{ kind: 'break-start', point: 'before-root', lines: ['a', 'b'] }, ['a', 'b']],
  [{ kind: 'break-end', point: 'before-root' }, ['Resuming']],
  [{ kind: 'build-end', durationMs: 1 }, ['Build completed successfully']],
];

test('logLines() has the lines that other tools match, and leaves output alone', () => {
  for (const [event, expected] of CASES) {
    assert.deepEqual(log([event]), expected, event.kind);
  }
});

test('logLines() tells a failure with its place', () => {
  const failure = {
    kind: 'config',
    message: 'Cannot read it',
    at: { file: 'f', line: 2 },
  } as const;
  assert.deepEqual(log([{ kind: 'build-end', durationMs: 1, failure }]), [
    'ERROR: Cannot read it',
    '  at f:2',
  ]);
});

test('logLines() prints the profiling table of each phase with the hooks of that phase only', () => {
  const phase = (name: string, hook: string): EventBody[] => [
    { kind: 'phase-start', phase: name, where: 'target', dir: `/x/${name}.d`, hooks: [hook] },
    { kind: 'hook-start', hook, path: `/x/${name}.d/${hook}` },
    { kind: 'hook-end', hook, status: 0, durationMs: 1500 },
    { kind: 'phase-end', phase: name, durationMs: 2000, ok: true },
  ];
  assert.deepEqual(log([...phase('install', '10-a'), ...phase('cleanup', '20-b')]), [
    'dib-run-parts Running /x/install.d/10-a',
    'dib-run-parts 10-a completed',
    ...renderProfile('install.d', [{ hook: '10-a', durationMs: 1500 }]),
    'dib-run-parts Running /x/cleanup.d/20-b',
    'dib-run-parts 20-b completed',
    ...renderProfile('cleanup.d', [{ hook: '20-b', durationMs: 1500 }]),
  ]);
});

test('renderTimestamp() is UTC with milliseconds, whatever the zone', () => {
  assert.equal(renderTimestamp(Date.UTC(2024, 1, 3, 4, 5, 6, 7)), '2024-02-03 04:05:06.007 | ');
});
