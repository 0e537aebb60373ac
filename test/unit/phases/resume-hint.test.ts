import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resumeHint } from '../../../src/phases/resume-hint.ts';

const ROWS: readonly (readonly [
  phase: string | undefined,
  lost: string | undefined,
  hint: string,
])[] = [
  [undefined, undefined, 'run the same command again'],
  [undefined, 'a mount', 'run the same command again; nothing is kept: a mount'],
  ['root', undefined, 'run the same command with --resume: what was done before is kept'],
  [
    'root',
    'a mount',
    'run the same command with --resume: what was done is kept up to phase root, and nothing behind it: a mount',
  ],
];

for (const [phase, lost, hint] of ROWS) {
  test(`kept: ${phase ?? 'nothing'}, lost: ${lost ?? 'nothing'}: ${hint}`, () => {
    assert.equal(resumeHint({ phase, lost }), `Mend it and ${hint}`);
  });
}
