import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { LogFile } from '../../../src/events/log-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'dibkit-log-'));
after(() => rmSync(dir, { recursive: true }));

test('LogFile appends every line with its time, control characters and failures included', async () => {
  const path = join(dir, 'build.log');
  writeFileSync(path, 'before\n');
  const log = new LogFile(path);
  log.receive({ kind: 'output', line: 'a \u001b[1m b', at: 0 });
  assert.ok(readFileSync(path, 'utf8').endsWith('a \u001b[1m b\n'), 'written at once');
  log.receive({
    kind: 'build-end',
    durationMs: 1,
    failure: { kind: 'host', message: 'No qemu-img', hint: 'apt-get install qemu-utils' },
    at: 1,
  });
  await log[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
  log.receive({ kind: 'output', line: 'too late', at: 2 });
  assert.deepEqual(readFileSync(path, 'utf8').split('\n'), [
    'before',
    '1970-01-01 00:00:00.000 | a \u001b[1m b',
    '1970-01-01 00:00:00.001 | ERROR: No qemu-img',
    '1970-01-01 00:00:00.001 | ',
    '1970-01-01 00:00:00.001 | What to do next:',
    '1970-01-01 00:00:00.001 |   apt-get install qemu-utils',
    '',
  ]);
});

test('LogFile refuses a file that it cannot write, naming it', () => {
  writeFileSync(join(dir, 'file'), '');
  mkdirSync(join(dir, 'directory'));
  const cases = [
    ['missing/x.log', /its directory does not exist/],
    ['file/x.log', /its directory is a file/],
    ['directory', /it is a directory/],
  ] as const;
  for (const [name, reason] of cases) {
    const path = join(dir, name);
    assert.throws(
      () => new LogFile(path),
      (error: unknown) =>
        error instanceof Failed &&
        error.failure.kind === 'config' &&
        error.failure.message.includes(`"${path}"`) &&
        reason.test(error.failure.message),
      name,
    );
  }
});

test('LogFile throws on a full disk, and at the end once more, for the fan-out to say so', async () => {
  const log = new LogFile('/dev/full');
  assert.throws(() => log.receive({ kind: 'output', line: 'x', at: 0 }), { code: 'ENOSPC' });
  await assert.rejects(() => log[Symbol.asyncDispose](), { code: 'ENOSPC' });
});
