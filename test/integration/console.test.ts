import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Screen } from '../rig/screen.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/console-program.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = `'${process.execPath}' --import tsx '${PROGRAM}'`;

interface Session {
  readonly text: string;
  readonly status: number | null;
}

/** Runs a shell command on a terminal of 60 columns; `onText` sees all output so far. */
async function onTerminal(command: string, onText = (_text: string): void => {}): Promise<Session> {
  const child = spawn('script', ['-qec', `stty cols 60 rows 20; ${command}`, '/dev/null'], {
    cwd: ROOT,
    env: { ...process.env, TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    onText(text);
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { text, status };
}

function screenOf(session: Session): Screen {
  const screen = new Screen();
  screen.write(session.text);
  return screen;
}

test('the live view on a real terminal leaves only what lasts, and the cursor', async () => {
  const session = await onTerminal(NODE);
  assert.equal(session.status, 0);
  assert.match(session.text, /10-a \(vm\)/, 'it drew the hook');
  assert.match(session.text, /hostile/, 'it drew the output');
  // The screen throws on the hook's own sequences.
  const screen = screenOf(session);
  assert.ok(screen.hides > 0);
  assert.equal(screen.cursorVisible, true);
  const [pid, phase, ...rest] = screen.lines;
  assert.match(pid ?? '', /^pid \d+$/);
  assert.match(phase ?? '', /^✓ phase install +0\.3 s$/);
  assert.deepEqual(rest, []);
});

test('the live view gives the cursor back when the process just exits', async () => {
  const screen = screenOf(await onTerminal(`${NODE} exit`));
  assert.ok(screen.hides > 0);
  assert.equal(screen.cursorVisible, true);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`the live view gives the cursor back on ${signal}`, async () => {
    let signalled = false;
    const session = await onTerminal(`${NODE} wait`, (text) => {
      const pid = /pid (\d+)/.exec(text)?.[1];
      if (!signalled && pid !== undefined && text.includes('▸')) {
        signalled = true;
        process.kill(Number(pid), signal);
      }
    });
    const screen = screenOf(session);
    assert.notEqual(session.status, 0);
    assert.ok(screen.hides > 0);
    assert.equal(screen.cursorVisible, true);
  });
}

test('the plain console lets the build go on when its reader leaves', async () => {
  const command = `${NODE} plain | head -n 1; exit "\${PIPESTATUS[0]}"`;
  const child = spawn('bash', ['-c', command], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  child.stdout.resume();
  const [status] = await once(child, 'close');
  assert.equal(errors, '');
  assert.equal(status, 0);
});
