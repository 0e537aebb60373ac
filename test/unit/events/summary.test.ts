import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, EventBody } from '../../../src/events/event.ts';
import { FactsReader } from '../../../src/events/facts-reader.ts';
import { factsOf, renderSummary } from '../../../src/events/summary.ts';

const START: EventBody = {
  kind: 'build-start',
  version: '1',
  elements: ['vm', 'debian-minimal'],
  expanded: ['base', 'debian-minimal', 'vm'],
  imageName: 'image',
  imageTypes: ['qcow2'],
  buildDir: '/tmp/b',
};

function phase(name: string, hooks: readonly (readonly [string, number])[]): EventBody[] {
  const durationMs = hooks.reduce((sum, [, ms]) => sum + ms, 0);
  return [
    { kind: 'phase-start', phase: name, where: 'host', dir: `/x/${name}.d`, hooks: [] },
    ...hooks.flatMap(([hook, ms]): EventBody[] => [
      { kind: 'hook-start', hook, path: `/x/${hook}`, ...(ms > 5000 ? { element: 'vm' } : {}) },
      { kind: 'hook-end', hook, status: 0, durationMs: ms },
    ]),
    { kind: 'phase-end', phase: name, durationMs, ok: true },
  ];
}

function step(name: string, durationMs: number): EventBody[] {
  return [
    { kind: 'step-start', step: name, detail: `Doing ${name}` },
    { kind: 'output', line: 'x' },
    { kind: 'step-end', step: name, durationMs },
  ];
}

const stamp = (bodies: readonly EventBody[]): BuildEvent[] =>
  bodies.map((body, at) => ({ ...body, at }));

const BUILD: readonly EventBody[] = [
  START,
  { kind: 'message', level: 'warning', text: 'careful' },
  ...phase('root', [
    ['10-debootstrap', 38_000],
    ['15-quick', 20],
  ]),
  ...phase('extra-data', [['99-x', 30]]),
  ...phase('install', [
    ['10-a', 9_000],
    ['20-b', 1_000],
  ]),
  ...step('disk', 2_000),
  ...phase('cleanup', []),
  { kind: 'artifact', type: 'qcow2', path: '/home/me/image.qcow2', sizeBytes: 432_013_312 },
  { kind: 'artifact', type: 'raw', path: '/home/me/image.raw', sizeBytes: 2 ** 31 },
  { kind: 'build-end', durationMs: 51_000 },
];

test('renderSummary() says what was built, where, how large, and what took the time', () => {
  assert.deepEqual(renderSummary(factsOf(stamp(BUILD)), { columns: 60, unicode: false }), [
    'Built image in 51.0 s (vm debian-minimal), 1 warning',
    '',
    '  qcow2    412 MiB  /home/me/image.qcow2',
    '  raw     2.00 GiB  /home/me/image.raw',
    '',
    '  root              38.0 s  #######################',
    '  install           10.0 s  ######',
    '  Doing disk         2.0 s  #',
    '  2 more             0.0 s',
    '',
    'Slowest hooks',
    '        38.0 s  root.d/10-debootstrap (vm)',
    '         9.0 s  install.d/10-a (vm)',
    '         1.0 s  install.d/20-b',
  ]);
});

test('renderSummary() tells a failed build, and what it had done until then', () => {
  const events: EventBody[] = [
    START,
    { kind: 'phase-start', phase: 'root', where: 'host', dir: '/x/root.d', hooks: ['a'] },
    { kind: 'hook-start', hook: 'a', path: '/x/a' },
    { kind: 'hook-end', hook: 'a', status: 1, durationMs: 3000 },
    { kind: 'phase-end', phase: 'root', durationMs: 3000, ok: false },
    { kind: 'build-end', durationMs: 3100, failure: { kind: 'host', message: 'm' } },
  ];
  const lines = renderSummary(factsOf(stamp(events)));
  assert.equal(lines[0], 'image: failed after 3.1 s (vm debian-minimal)');
  assert.ok(lines.some((line) => line.startsWith('  root')));
});

test('renderSummary() says nothing of a build that never started', () => {
  const failure = { kind: 'host', message: 'm' } as const;
  assert.deepEqual(
    renderSummary(factsOf(stamp([{ kind: 'build-end', durationMs: 1, failure }]))),
    [],
  );
});

test('renderSummary() stays short and inside its width, however much was built', () => {
  const many = Array.from({ length: 30 }, (_, index) => index);
  const events: EventBody[] = [
    START,
    ...many.flatMap((index) => phase(`phase-${index}`, [[`${index}-hook`, 1000 + index]])),
    ...many.flatMap((index) => step(`a step with quite a long name, number ${index}`, 1000)),
    ...many.map(
      (index): EventBody => ({ kind: 'artifact', type: 'tar', path: `/${index}`, sizeBytes: 1 }),
    ),
    { kind: 'build-end', durationMs: 1 },
  ];
  const lines = renderSummary(factsOf(stamp(events)), { columns: 50, unicode: true });
  assert.ok(lines.length <= 20, String(lines.length));
  assert.ok(lines.every((line) => line.length <= 50));
});

test('factsOf() counts a step inside a phase as part of the phase', () => {
  const [start, ...rest] = phase('root', [['a', 1000]]);
  assert.ok(start);
  const facts = factsOf(stamp([START, start, ...step('inner', 500), ...rest]));
  assert.deepEqual(facts.stages, [{ name: 'root', durationMs: 1000 }]);
});

test('FactsReader gathers the same facts event by event', () => {
  const reader = new FactsReader();
  for (const event of stamp(BUILD)) {
    reader.receive(event);
  }
  assert.deepEqual(reader.facts, factsOf(stamp(BUILD)));
});
