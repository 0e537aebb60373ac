import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import type { BuildEvent } from '../../../src/events/event.ts';
import {
  type ParsedLine,
  parseEventLine,
  readEventLines,
  renderEventLine,
} from '../../../src/events/event-lines.ts';
import { JsonLines } from '../../../src/events/json-lines.ts';

const EVENTS: readonly BuildEvent[] = [
  { kind: 'output', line: 'Grüße \u2028 日本 \u001b[1m "quoted" \\ end', at: 1 },
  { kind: 'output', line: '', at: 2 },
  { kind: 'hook-start', hook: 'a', path: '/a', element: 'vm', at: 3 },
  {
    kind: 'build-end',
    durationMs: 4,
    failure: { kind: 'tool', message: 'm', argv: ['a'], status: 1, lastLines: [] },
    at: 5,
  },
];

async function readAll(chunks: Iterable<Uint8Array | string>): Promise<ParsedLine[]> {
  const lines: ParsedLine[] = [];
  for await (const line of readEventLines(asAsync(chunks))) {
    lines.push(line);
  }
  return lines;
}

async function* asAsync<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

test('readEventLines() reads back what renderEventLine() wrote, in pieces of any size', async () => {
  const bytes = Buffer.from(EVENTS.map(renderEventLine).join(''));
  for (const size of [1, 2, 3, 7, 64, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    assert.deepEqual(
      await readAll(chunks),
      EVENTS.map((event) => ({ kind: 'event', event })),
      `pieces of ${size}`,
    );
  }
});

test('readEventLines() reads a last line without newline, and tells a torn one', async () => {
  const whole = renderEventLine({ kind: 'output', line: 'x', at: 1 }).trimEnd();
  assert.deepEqual(
    (await readAll([whole])).map(({ kind }) => kind),
    ['event'],
  );
  assert.deepEqual(
    (await readAll(['\n\n', whole.slice(0, -3)])).map(({ kind }) => kind),
    ['invalid'],
  );
});

test('parseEventLine() refuses what is no event, and says why', () => {
  const cases = [
    ['', 'it is no JSON object'],
    ['[1]', 'it is no JSON object'],
    ['null', 'it is no JSON object'],
    ['{"kind":"output","line":"x","at":1}', 'its version is undefined'],
    ['{"v":2,"kind":"output","line":"x","at":1}', 'its version is 2'],
    ['{"v":1,"kind":"output","line":"x"}', 'it has no time or kind'],
    ['{"v":1,"kind":"output","line":7,"at":1}', 'wrong in "output": line'],
    [
      '{"v":1,"kind":"phase-start","phase":"root","where":"host","hooks":[1],"at":1}',
      'wrong in "phase-start": dir, hooks',
    ],
  ] as const;
  for (const [line, reason] of cases) {
    assert.deepEqual(parseEventLine(line), { kind: 'invalid', reason }, line);
  }
});

test('parseEventLine() takes a kind that it does not know for a newer one', () => {
  for (const name of ['layer-saved', 'toString', '__proto__']) {
    const line = JSON.stringify({ v: 1, kind: name, at: 1 });
    assert.deepEqual(parseEventLine(line), { kind: 'unknown', name });
  }
});

test('JsonLines delivers everything through a slow pipe, and drained() waits for it', async () => {
  const pipe = new PassThrough({ highWaterMark: 16 });
  const writer = new JsonLines(pipe);
  const event: BuildEvent = { kind: 'output', line: 'x'.repeat(1000), at: 1 };
  for (let count = 0; count < 200; count++) {
    writer.receive(event);
  }
  let drained = false;
  const wait = writer.drained().then(() => {
    drained = true;
  });
  assert.equal(drained, false);
  let read = 0;
  for await (const line of readEventLines(pipe)) {
    assert.deepEqual(line, { kind: 'event', event });
    read++;
    if (read === 200) {
      await wait;
      pipe.end();
    }
  }
  assert.equal(read, 200);
  assert.equal(drained, true);
});

function breaking(code: string): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
  });
}

test('JsonLines goes quiet when its reader is gone, and throws when the disk is full', async () => {
  const event: BuildEvent = { kind: 'output', line: 'x', at: 1 };
  const gone = new JsonLines(breaking('EPIPE'));
  const full = new JsonLines(breaking('ENOSPC'));
  for (const writer of [gone, full]) {
    writer.receive(event);
    await writer.drained();
    await new Promise((resolve) => setImmediate(resolve));
  }
  gone.receive(event);
  await gone[Symbol.asyncDispose]();
  assert.throws(() => full.receive(event), { code: 'ENOSPC' });
  await assert.rejects(async () => full[Symbol.asyncDispose](), { code: 'ENOSPC' });
});
