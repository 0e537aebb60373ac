import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import type { BuildEvent } from '../../../src/events/event.ts';
import { PlainConsole } from '../../../src/events/plain-console.ts';

const AT = Date.UTC(2024, 0, 2, 3, 4, 5, 60);

function shown(events: readonly BuildEvent[], timestamps: boolean): string {
  const stream = new PassThrough();
  const console = new PlainConsole(stream, { timestamps });
  for (const event of events) {
    console.receive(event);
  }
  return String(stream.read() ?? '');
}

test('PlainConsole puts the event time before every line, and only if asked', () => {
  const events: BuildEvent[] = [
    { kind: 'output', line: 'raw \u001b[1m xtrace', at: AT },
    { kind: 'message', level: 'info', text: 'a\nb', at: AT + 1 },
  ];
  assert.equal(
    shown(events, true),
    '2024-01-02 03:04:05.060 | raw \u001b[1m xtrace\n' +
      '2024-01-02 03:04:05.061 | a\n2024-01-02 03:04:05.061 | b\n',
  );
  assert.equal(shown(events, false), 'raw \u001b[1m xtrace\na\nb\n');
});

test('PlainConsole leaves the failure to the command', () => {
  const failure = { kind: 'host', message: 'm' } as const;
  assert.equal(shown([{ kind: 'build-end', durationMs: 1, failure, at: AT }], false), '');
});

test('PlainConsole goes quiet when nobody reads any more', async () => {
  let writes = 0;
  const stream = new Writable({
    write: (_chunk, _encoding, done) => {
      writes++;
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const console = new PlainConsole(stream, { timestamps: false });
  console.receive({ kind: 'output', line: 'one', at: AT });
  await console.drained();
  await new Promise((resolve) => setImmediate(resolve));
  console.receive({ kind: 'output', line: 'two', at: AT });
  await console[Symbol.asyncDispose]();
  assert.equal(writes, 1);
});
