/** Processes of the cache that a test starts, gives orders to, and kills. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '../fixtures/cache-worker.mjs',
);

export type Answer = Readonly<Record<string, unknown>>;

/** One such process. */
export class CacheWorker implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    const { stdout } = child;
    if (stdout === null) {
      throw new Error('The worker has no output');
    }
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** `wrapper` is put in front of the command: `unshare` and its options. */
  static async start(wrapper: readonly string[] = []): Promise<CacheWorker> {
    const [file = '', ...args] = [...wrapper, process.execPath, PROGRAM];
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin?.on('error', () => {});
    const worker = new CacheWorker(child);
    await worker.answer();
    return worker;
  }

  order(order: Answer): void {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** The next line; `{ ended: true }` once it is gone. */
  async answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next();
    return done === true ? { ended: true } : (JSON.parse(value) as Answer);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
