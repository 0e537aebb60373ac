/** Work beside a build, by the kernel's own word for it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Context } from '../../src/events/event.ts';
import { Background } from '../../src/sandbox/background.ts';

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: { PATH: process.env.PATH ?? '' },
};

/** Prints its policy and that of a child, says so through one pipe, waits for another, prints them again. */
const SCRIPT = `
cd "$1"
read -r _ <never & child=$!
policies() {
    for pid in "$$" "$child"; do chrt --pid "$pid" | sed -n 's/.*policy: //p'; done
}
policies
echo >ready
read -r _ <go
policies
kill "$child"
`;

test('work beside the build is idle until somebody waits for it, with what it has started', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'background-'));
  try {
    const [ready = '', go = '', never = ''] = ['ready', 'go', 'never'].map((name) =>
      path.join(directory, name),
    );
    execFileSync('mkfifo', [ready, go, never]);
    const beside = new Background();
    const printed = beside.run(['bash', '-c', SCRIPT, 'bash', directory], context);
    await readFile(ready);
    await beside.hurry(context);
    await writeFile(go, '\n');
    const [idle, other] = ['SCHED_IDLE', 'SCHED_OTHER'];
    assert.deepEqual((await printed).split('\n'), [idle, idle, other, other]);
    const later = await beside.run(['sh', '-c', 'chrt --pid $$'], context);
    assert.match(later, /SCHED_OTHER/, 'what is begun while somebody waits');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('where no tool makes work idle it is nice', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'background-'));
  try {
    const link = 'for tool in sh nice renice; do ln -s "$(command -v "$tool")" "$1"; done';
    execFileSync('sh', ['-c', link, 'sh', directory]);
    const without = { ...context, toolEnvironment: { PATH: directory } };
    assert.equal(await new Background().run(['nice'], without), '10');
  } finally {
    await rm(directory, { recursive: true });
  }
});
