/** What becomes of a contained program that is killed in its first moments. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startContained } from '../../src/sandbox/namespace.ts';

/** As unshare is between its fork and the prctl(2) of its child: killed, it leaves a program that goes on. */
const TOO_EARLY = `#!/bin/sh
while [ "$1" != sh ]; do shift; done
"$@" &
wait
`;

test('a program is gone when it was killed before the kernel knew what it dies with', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'namespace-'));
  try {
    await writeFile(path.join(directory, 'setpriv'), TOO_EARLY, { mode: 0o755 });
    const env = { PATH: `${directory}:${process.env.PATH}` };
    // Says that it is there, and ends when it cannot be told anything any more.
    const program = ['sh', '-c', 'echo here >&3; cat <&4'];
    const contained = startContained(program, { env, privilege: 'root' });
    const [said] = await contained.fromProgram.take(1).toArray();
    assert.equal(String(said), 'here\n');
    contained.kill();
    assert.deepEqual(await contained.exit, { kind: 'signal', signal: 'SIGKILL' });
  } finally {
    await rm(directory, { recursive: true });
  }
});
