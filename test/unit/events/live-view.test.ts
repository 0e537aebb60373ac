import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import stringWidth from 'string-width';
import type { EventBody } from '../../../src/events/event.ts';
import { openLiveView } from '../../../src/events/live-view.ts';
import type { Reader } from '../../../src/events/reader.ts';
import { Screen } from '../../rig/screen.ts';

class FakeTerminal extends Writable {
  readonly isTTY = true;
  columns = 60;
  rows = 24;
  readonly screen = new Screen();
  written: string[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(String(chunk));
    this.screen.write(String(chunk));
    done();
  }
}

interface Stage {
  readonly terminal: FakeTerminal;
  readonly view: Reader;
  /** Sends an event at the present time. */
  send(body: EventBody): void;
  /** Lets time pass, then the timer fire if it is running. */
  pass(ms: number): void;
  readonly timers: { running: number };
}

async function setUp(color = false, unicode = true): Promise<Stage> {
  const terminal = new FakeTerminal();
  let nowMs = 1_000_000;
  const ticks = new Set<() => void>();
  const timers = { running: 0 };
  const view = await openLiveView(terminal, {
    terminal: { color, unicode },
    phases: ['root', 'install', 'cleanup'],
    clock: {
      now: () => nowMs,
      every: (_interval, tick) => {
        timers.running++;
        ticks.add(tick);
        return () => {
          timers.running--;
          ticks.delete(tick);
        };
      },
    },
  });
  return {
    terminal,
    view,
    timers,
    send: (body) => view.receive({ ...body, at: nowMs }),
    pass: (ms) => {
      nowMs += ms;
      for (const tick of ticks) {
        tick();
      }
    },
  };
}

const START: EventBody = {
  kind: 'build-start',
  version: '1',
  elements: ['vm'],
  expanded: ['base', 'vm'],
  imageName: 'image',
  imageTypes: ['qcow2'],
  buildDir: '/tmp/b',
};
const INSTALL: EventBody = {
  kind: 'phase-start',
  phase: 'install',
  where: 'target',
  dir: '/x/install.d',
  hooks: ['10-a', '20-b'],
};
const HOOK: EventBody = { kind: 'hook-start', hook: '10-a', path: '/x/10-a', element: 'vm' };
const line = (text: string): EventBody => ({ kind: 'output', line: text });
const END_OF_PHASE: EventBody = {
  kind: 'phase-end',
  phase: 'install',
  durationMs: 75_000,
  ok: true,
};

test('the live view shows phase, hook, element, elapsed time and the last lines', async () => {
  const { terminal, view, send, pass } = await setUp();
  send(START);
  pass(10_000);
  send(INSTALL);
  pass(3_000);
  send(HOOK);
  for (let count = 1; count <= 9; count++) {
    send(line(`line ${count}`));
  }
  pass(62_000);
  assert.deepEqual(terminal.screen.lines, [
    'Building image from base vm in /tmp/b',
    '2/3 install · hook 1 of 2 · 1:05 · 1:15 in all',
    '  ▸ 10-a (vm)  1:02',
    '    line 5',
    '    line 6',
    '    line 7',
    '    line 8',
    '    line 9',
  ]);
  send({ kind: 'hook-end', hook: '10-a', status: 0, durationMs: 62_000 });
  send(END_OF_PHASE);
  send({ kind: 'message', level: 'warning', text: 'a warning' });
  pass(100);
  assert.deepEqual(terminal.screen.lines, [
    'Building image from base vm in /tmp/b',
    '✓ phase install                   1 min 15 s',
    'Warning: a warning',
  ]);
  await view[Symbol.asyncDispose]();
});

test('the live view lets no control character of a hook reach the terminal, and fits the width', async () => {
  const { terminal, view, send, pass } = await setUp();
  terminal.columns = 30;
  send(INSTALL);
  send(HOOK);
  send(line('\u001b[2J\u001b[1;1H\u001b]0;title\u0007\u001b[?1049h evil\u0007'));
  send(line(`${'日本'.repeat(40)}`));
  send(line('10 %\r20 %\r30 %'));
  // An unknown sequence would make the screen throw.
  pass(100);
  const lines = terminal.screen.lines;
  assert.deepEqual(lines.slice(2), ['     evil', '    日本日本日本日本日本日本…', '    30 %']);
  for (const text of lines) {
    assert.ok(stringWidth(text) < 30, text);
  }
  await view[Symbol.asyncDispose]();
});

test('the live view redraws only when its timer fires', async () => {
  const { terminal, view, send, pass } = await setUp();
  send(INSTALL);
  pass(100);
  terminal.written = [];
  for (let count = 0; count < 1000; count++) {
    send(line(`line ${count}`));
  }
  assert.deepEqual(terminal.written, []);
  pass(100);
  assert.equal(terminal.written.length, 1);
  assert.equal(terminal.screen.lines.at(-1), '    line 999');
  await view[Symbol.asyncDispose]();
});

test('the live view gives the terminal to a debug shell and takes it back', async () => {
  const { terminal, view, send, pass, timers } = await setUp();
  send(INSTALL);
  send(HOOK);
  send(line('before'));
  pass(100);
  assert.equal(terminal.screen.cursorVisible, false);
  send({ kind: 'break-start', point: 'after-error', lines: ['At after-error', '\u001b[2Jexit'] });
  assert.equal(terminal.screen.cursorVisible, true);
  assert.equal(timers.running, 0);
  assert.deepEqual(terminal.screen.lines, ['At after-error', 'exit']);
  terminal.written = [];
  send(line('while the shell runs'));
  send({ kind: 'message', level: 'info', text: 'a message' });
  pass(5_000);
  assert.deepEqual(terminal.written, []);
  send({ kind: 'break-end', point: 'after-error' });
  pass(100);
  assert.equal(terminal.screen.cursorVisible, false);
  assert.deepEqual(terminal.screen.lines.slice(0, 4), [
    'At after-error',
    'exit',
    'a message',
    '2/3 install · hook 1 of 2 · 0:05',
  ]);
  await view[Symbol.asyncDispose]();
  assert.equal(terminal.screen.cursorVisible, true);
});

test('the live view leaves a clean screen, a cursor and no timer, whatever state it ends in', async () => {
  const endings: Readonly<Record<string, readonly EventBody[]>> = {
    'before anything': [],
    'in a hook': [START, INSTALL, HOOK, line('x')],
    'in a break': [INSTALL, { kind: 'break-start', point: 'x', lines: [] }],
    'after the end': [INSTALL, END_OF_PHASE, { kind: 'build-end', durationMs: 1 }],
  };
  for (const [name, events] of Object.entries(endings)) {
    const { terminal, view, send, pass, timers } = await setUp();
    for (const event of events) {
      send(event);
      pass(100);
    }
    await view[Symbol.asyncDispose]();
    await view[Symbol.asyncDispose]();
    assert.equal(terminal.screen.cursorVisible, true, name);
    assert.equal(timers.running, 0, name);
    assert.ok(!terminal.screen.lines.some((text) => text.includes('▸')), name);
  }
});

test('the live view tells what is ending badly, and what steps outside the phases took', async () => {
  const { terminal, view, send, pass } = await setUp();
  send({ kind: 'step-start', step: 'qcow2', detail: 'Converting' });
  pass(2_000);
  assert.deepEqual(terminal.screen.lines, ['  ▸ Converting  0:02']);
  send({ kind: 'step-end', step: 'qcow2', durationMs: 2_000 });
  send({ kind: 'step-start', step: 'quick', detail: 'Quick' });
  send({ kind: 'step-end', step: 'quick', durationMs: 10 });
  send(INSTALL);
  send({ ...END_OF_PHASE, ok: false });
  pass(100);
  assert.deepEqual(terminal.screen.lines, [
    '✓ Converting                           2.0 s',
    '✗ phase install                   1 min 15 s',
  ]);
  await view[Symbol.asyncDispose]();
});

test('the live view does without colour and without Unicode when told so', async () => {
  for (const color of [false, true]) {
    const { terminal, view, send, pass } = await setUp(color, false);
    send(INSTALL);
    send(HOOK);
    send(line('y'.repeat(100)));
    pass(100);
    const text = terminal.written.join('');
    assert.equal(text.includes('\u001b[2m'), color);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: everything but ASCII is searched
    assert.doesNotMatch(text, /[^\u0000-\u007f]/);
    await view[Symbol.asyncDispose]();
  }
});

test('the live view keeps its block below the height of the terminal', async () => {
  const { terminal, view, send, pass } = await setUp();
  terminal.rows = 4;
  send(INSTALL);
  send(HOOK);
  for (let count = 0; count < 5; count++) {
    send(line(`line ${count}`));
  }
  pass(100);
  assert.equal(terminal.screen.lines.length, 3);
  await view[Symbol.asyncDispose]();
});

test('the live view survives a terminal that goes away', async () => {
  const terminal = new FakeTerminal();
  terminal._write = (_chunk, _encoding, done: (error?: Error) => void) =>
    done(Object.assign(new Error('write EIO'), { code: 'EIO' }));
  const view = await openLiveView(terminal, {
    terminal: { color: true, unicode: true },
    phases: [],
  });
  view.receive({ kind: 'message', level: 'info', text: 'x', at: 1 });
  await view[Symbol.asyncDispose]();
});
