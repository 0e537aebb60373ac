import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { firstImmutable } from '../../../src/layers/immutable.ts';

test('firstImmutable() finds a file whatever bytes the names on its way have', async (t) => {
  const root = await mkdtemp(path.join(os.tmpdir(), 'dibkit-immutable-naïve-'));
  const folder = Buffer.concat([Buffer.from(root), Buffer.from('/caf\xe9', 'latin1')]);
  const file = Buffer.concat([folder, Buffer.from('/na\xefve.conf', 'latin1')]);
  const chattr = (how: string): boolean =>
    spawnSync('sh', ['-c', `chattr ${how} "$1"/*/*.conf`, 'sh', root]).status === 0;
  try {
    await mkdir(folder);
    await writeFile(file, 'fixed');
    await writeFile(path.join(root, 'plain'), 'free');
    assert.equal(firstImmutable({ root, upper: root }), undefined);
    if (!chattr('+i')) {
      t.skip('the file system for temporary files, or the user, cannot make a file immutable');
      return;
    }
    assert.equal(
      firstImmutable({ root, upper: root }),
      Buffer.from('/caf\xe9/na\xefve.conf', 'latin1').toString(),
    );
  } finally {
    chattr('-i');
    await rm(root, { recursive: true, force: true });
  }
});
