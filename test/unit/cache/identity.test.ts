import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  livenessOf,
  ownIdentity,
  parseIdentity,
  renderIdentity,
} from '../../../src/cache/identity.ts';

test('parseIdentity() reads back what renderIdentity() wrote, whatever follows', async () => {
  const us = await ownIdentity();
  assert.equal(us.pid, process.pid);
  assert.deepEqual(parseIdentity(renderIdentity(us)), us);
  assert.deepEqual(parseIdentity(`${renderIdentity(us)}.7.json`), us);
  for (const other of ['', 'x', 'a-b-c-d', `${renderIdentity(us)}x`]) {
    assert.equal(parseIdentity(other), undefined, other);
  }
});

test('livenessOf() tells the living, the dead, numbers used again, and those out of sight', async () => {
  const us = await ownIdentity();
  assert.equal(await livenessOf(us), 'alive');
  assert.equal(await livenessOf({ ...us, startTicks: '1' }), 'gone');
  assert.equal(await livenessOf({ ...us, boot: '0'.repeat(32) }), 'unknown');
  assert.equal(await livenessOf({ ...us, pidNamespace: '1' }), 'unknown');
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await livenessOf({ ...us, pid }), 'gone');
});
