import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { hooksBeforeStop, resolveBreakPoints } from '../../../src/phases/break-names.ts';
import { PHASES } from '../../../src/phases/table.ts';

const HOOKS = new Map([
  ['root', ['10-base']],
  ['install', ['10-base', '50-foo', '60-bar']],
  ['finalise', []],
]);

test('resolveBreakPoints() takes every phase, every hook and after-error', () => {
  const known = [
    ...PHASES.flatMap(({ name }) => [`before-${name}`, `after-${name}`]),
    'after-error',
    'before-install.d/50-foo',
    'after-root.d/10-base',
  ];
  assert.deepEqual(resolveBreakPoints(known, HOOKS), known);
});

test('resolveBreakPoints() writes out the name of a hook that only one phase has, once', () => {
  assert.deepEqual(resolveBreakPoints(['after-60-bar', 'after-install.d/60-bar'], HOOKS), [
    'after-install.d/60-bar',
  ]);
});

const REFUSED: readonly (readonly [given: string, message: RegExp, hint: RegExp])[] = [
  ['before-instal', /Unknown break point 'before-instal'/, /Did you mean before-install\?/],
  ['before-install.d', /'before-install\.d'/, /before-install/],
  ['before-install.d/50-fo', /'before-install\.d\/50-fo'/, /mean before-install\.d\/50-foo/],
  ['before-50-fooo', /'before-50-fooo'/, /mean before-50-foo/],
  ['before-error', /'before-error'/, /before-root/],
  ['install', /'install'/, /before-PHASE\.d\/HOOK[\s\S]*Phases: root, extra-data/],
  ['before-10-base', /several hooks/, /before-root\.d\/10-base, before-install\.d\/10-base/],
];

for (const [given, message, hint] of REFUSED) {
  test(`resolveBreakPoints() refuses ${given}, and says what is near`, () => {
    assert.throws(
      () => resolveBreakPoints(['before-root', given], HOOKS),
      (error) => {
        assert.ok(error instanceof Failed);
        assert.equal(error.failure.kind, 'usage');
        assert.match(error.failure.message, message);
        assert.match(error.failure.hint ?? '', hint);
        return true;
      },
    );
  });
}

test('resolveBreakPoints() tells of every problem at once', () => {
  assert.throws(() => resolveBreakPoints(['x', 'y'], HOOKS), /'x'[\s\S]*'y'/);
});

const BEFORE: readonly (readonly [points: string, count: number | undefined])[] = [
  ['', undefined],
  ['after-error', undefined],
  ['before-root', undefined],
  ['before-install.d/99-gone', undefined],
  ['after-root.d/20-b', undefined],
  ['before-install', 0],
  ['before-install.d/10-a', 0],
  ['before-install.d/20-b', 1],
  ['after-install.d/20-b', 2],
  ['after-install.d/20-b,before-install.d/20-b', 1],
  ['after-install,after-install.d/10-a', 1],
  ['after-install', 3],
  ['after-install,before-install', 0],
];

for (const [points, count] of BEFORE) {
  test(`with break=${points} layers may stand for ${count ?? 'all'} hooks`, () => {
    const hooks = ['10-a', '20-b', '30-c'];
    assert.equal(hooksBeforeStop(points.split(','), 'install', hooks), count);
  });
}
