import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCode, type Failure } from '../../../src/events/failure.ts';
import { parseFailureNote, renderFailureNote } from '../../../src/events/failure-note.ts';

const HOOK = {
  kind: 'hook',
  message: "Hook 'root.d/10-x' failed with status 4",
  phase: 'root',
  hook: '10-x',
  path: '/x',
  status: 4,
  lastLines: [],
} as const;

const NOTED: readonly (readonly [Failure, number])[] = [
  [{ kind: 'verify', message: 'Two digests\nin two lines' }, 4],
  [{ kind: 'host', message: 'No xz' }, 3],
  [{ kind: 'lock-busy', message: 'Somebody fetches it', path: '/lock' }, 5],
];
for (const [failure, status] of NOTED) {
  test(`a build fails as what its hook called: ${failure.kind}`, () => {
    const cause = parseFailureNote(renderFailureNote(failure) ?? '', status);
    assert.deepEqual(cause, { kind: failure.kind, message: failure.message });
    assert.equal(exitCode({ ...HOOK, status, ...(cause === undefined ? {} : { cause }) }), status);
  });
}

test('a build within a hook passes on why its own hook failed', () => {
  const cause = { kind: 'verify', message: 'Two digests' } as const;
  assert.equal(renderFailureNote({ ...HOOK, cause }), 'verify\nTwo digests\n');
});

test('other failures of what a hook calls are the failure of the hook', () => {
  assert.equal(renderFailureNote({ kind: 'fetch', message: 'No', url: 'http://x' }), undefined);
  assert.equal(renderFailureNote({ kind: 'usage', message: 'No' }), undefined);
  assert.equal(renderFailureNote(HOOK), undefined);
  assert.equal(exitCode(HOOK), 1);
});

test('a note counts only for the status that goes with it', () => {
  assert.equal(parseFailureNote('verify\nTwo digests\n', 1), undefined);
  assert.equal(parseFailureNote('verify\nTwo digests\n', 3), undefined);
});

test('what is no note is nothing', () => {
  for (const text of ['', '\n', 'hook\nx', 'Verify\nx', 'constructor\n']) {
    assert.equal(parseFailureNote(text, 4), undefined, text);
  }
});
