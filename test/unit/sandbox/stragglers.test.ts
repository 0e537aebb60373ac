/** Which processes a build ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stragglersIn } from '../../../src/sandbox/stragglers.ts';

test('stragglersIn() spares the first process, ourselves, and what we have started', () => {
  const rows = [
    { pid: 1, parent: 0 },
    { pid: 5, parent: 1 },
    // Ours, and what it has started.
    { pid: 6, parent: 5 },
    { pid: 7, parent: 6 },
    // Left by a hook: a daemon with a child, and one whose parent is outside.
    { pid: 8, parent: 1 },
    { pid: 9, parent: 8 },
    { pid: 10, parent: 0 },
  ];
  assert.deepEqual(stragglersIn(rows, 5), [8, 9, 10]);
});
