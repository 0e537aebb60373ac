/**
 * One of our commands on a real terminal, with a person at it: what is typed and what is seen.
 *
 *     await using session = openTerminal(rig, ['disk-image-create', 'vm'], { env: { break: 'x' } });
 *     await session.sees(/At stage x/);
 *     session.types('exit\r');
 *     assert.equal(await session.status, 0);
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Console } from './console.ts';
import type { Rig, RunOptions } from './rig.ts';

/** How long a person waits before giving up; only ever reached when something is wrong. */
const PATIENCE_MS = 60_000;

const BIN = fileURLToPath(new URL('../../bin/', import.meta.url));

export const KEYS = { up: '\u001b[A', endOfInput: '\u0004', interrupt: '\u0003' } as const;

export function openTerminal(
  rig: Rig,
  [command, ...args]: readonly [string, ...string[]],
  options: Pick<RunOptions, 'env' | 'through'> = {},
): TerminalSession {
  const through = options.through ?? [];
  const line = [...through, process.execPath, path.join(BIN, command), ...args]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(' ');
  const child = spawn('script', ['-qec', `stty cols 200 rows 50; exec ${line}`, '/dev/null'], {
    cwd: rig.out,
    env: rig.environment({ TERM: 'dumb', SHELL: '/bin/bash', ...options.env }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new TerminalSession(child);
}

export class TerminalSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #console = new Console();
  /** The command's status; 128 + signal as a shell counts. */
  readonly status: Promise<number>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdin?.on('error', () => {});
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#console.append(text));
    this.status = once(child, 'close').then(([status]) => Number(status ?? -1));
  }

  /** Everything so far, as a person sees it. */
  get text(): string {
    return this.#console.text;
  }

  /** Waits for text on the screen, after what was waited for before. Rejects when it cannot come any more. */
  async sees(pattern: RegExp): Promise<string> {
    const patience = new AbortController();
    const fail = (why: string): never => {
      throw new Error(`${why} ${pattern} was seen:\n${this.text}`);
    };
    const ended = this.status.then((status) => fail(`Ended with ${status} before`));
    const tired = setTimeout(PATIENCE_MS, undefined, { signal: patience.signal }).then(() =>
      fail('Waited too long until'),
    );
    try {
      return await Promise.race([this.#console.next(pattern), ended, tired]);
    } finally {
      patience.abort();
      this.#console.forget();
      ended.catch(() => {});
      tired.catch(() => {});
    }
  }

  types(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** The line goes dead: nobody is at the other end any more. */
  hangUp(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await this.status;
  }
}
