import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { resolveBreakPoints } from '../../../src/phases/break-names.ts';
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
