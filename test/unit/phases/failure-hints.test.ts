import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookFailure } from '../../../src/events/failure.ts';
import { withHint } from '../../../src/phases/failure-hints.ts';

const CASES: readonly (readonly [string, RegExp | undefined])[] = [
  ['E: x', undefined],
  ['dpkg: error: write: No space left on device', /--no-tmpfs/],
  ["OSError: [Errno 18] Invalid cross-device link: '/srv/a' -> '/srv/b'", /use mv.*--no-cache/],
  ["Error: EXDEV: cross-device link not permitted, rename '/srv/a'", /use mv.*--no-cache/],
  ["ModuleNotFoundError: No module named 'diskimage_builder'", /DIB_PYTHON_EXEC/],
  ["ModuleNotFoundError: No module named 'diskimage_builder.logging_config'", /DIB_PYTHON_EXEC/],
];

for (const [line, hint] of CASES) {
  test(`a hook that ends with "${line}"`, () => {
    const failure = {
      message: 'x',
      lastLines: ['before', line, 'after'],
    } as unknown as HookFailure;
    const told = withHint(failure).hint;
    assert.ok(hint === undefined ? told === undefined : hint.test(told ?? ''), told);
  });
}
