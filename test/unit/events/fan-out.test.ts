import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent } from '../../../src/events/event.ts';
import { FanOut } from '../../../src/events/fan-out.ts';
import type { Reader } from '../../../src/events/reader.ts';

class Recorder implements Reader {
  readonly name: string;
  readonly events: BuildEvent[] = [];
  disposed = 0;
  readonly #failAt: number;

  constructor(name: string, failAt = Number.POSITIVE_INFINITY) {
    this.name = name;
    this.#failAt = failAt;
  }

  receive(event: BuildEvent): void {
    if (this.events.length >= this.#failAt) {
      throw new Error('disk full');
    }
    this.events.push(event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
    if (this.#failAt === 0) {
      throw new Error('cannot close');
    }
  }
}

const line = (text: string) => ({ kind: 'output', line: text }) as const;

test('FanOut stamps events and takes credentials out before any reader sees them', () => {
  const reader = new Recorder('a');
  const events = new FanOut([reader], () => 42);
  events.emit(line('http://me:secret@host'));
  events.pass({ ...line('later'), at: 7 });
  assert.deepEqual(reader.events, [
    { kind: 'output', line: 'http://***@host', at: 42 },
    { kind: 'output', line: 'later', at: 7 },
  ]);
});

test('FanOut drops a reader that throws, warns the others, and still ends it', async () => {
  const first = new Recorder('first');
  const broken = new Recorder('the log file "x"', 1);
  const last = new Recorder('last');
  const events = new FanOut([first, broken, last], () => 1);
  for (const text of ['one', 'two', 'three']) {
    events.emit(line(text));
  }
  const expected = [
    line('one'),
    line('two'),
    {
      kind: 'message',
      level: 'warning',
      text: 'Cannot go on writing to the log file "x": disk full',
    },
    line('three'),
  ].map((body) => ({ ...body, at: 1 }));
  assert.deepEqual(first.events, expected);
  assert.deepEqual(last.events, expected);
  await events[Symbol.asyncDispose]();
  await events[Symbol.asyncDispose]();
  assert.deepEqual([first.disposed, broken.disposed, last.disposed], [1, 1, 1]);
});

test('FanOut survives readers that all break, and ends all of them before it complains', async () => {
  const broken = new Recorder('a', 0);
  const fine = new Recorder('b', 1);
  const events = new FanOut([broken, fine]);
  events.emit(line('one'));
  events.emit(line('two'));
  await assert.rejects(async () => events[Symbol.asyncDispose](), /cannot close/);
  assert.equal(fine.disposed, 1);
});

test('FanOut keeps the order when a reader emits while it reads', () => {
  const seen: string[] = [];
  const noisy = (name: string, reply: boolean): Reader => ({
    name,
    receive: (event) => {
      if (event.kind !== 'output') {
        return;
      }
      seen.push(`${name}:${event.line}`);
      if (reply && event.line === 'ask') {
        events.emit(line('answer'));
      }
    },
    [Symbol.asyncDispose]: async () => {},
  });
  const events: FanOut = new FanOut([noisy('a', true), noisy('b', false)]);
  events.emit(line('ask'));
  assert.deepEqual(seen, ['a:ask', 'b:ask', 'a:answer', 'b:answer']);
});
