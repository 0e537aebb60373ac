/**
 * A pipe of the kernel's, for output that children share.
 *
 * Node's own `pipe` is a socket, on which a child cannot open /dev/stdout or /dev/stderr (ENXIO),
 * as hooks do. Node has no call for a real one, so it is a FIFO whose name is removed at once.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../events/event.ts';
import { runTool } from './process.ts';

export interface Pipe {
  /** Yields what is written; ends when we and every child have closed their ends. */
  readonly output: Socket;
  /** The writing end, for children to share. Blocking, close-on-exec. */
  readonly fd: number;
  /** Closes our writing end. Idempotent. */
  closeWriter(): void;
}

/**
 * An open pipe; its maker destroys `output` and closes the writer. Its name is for a moment in `workDir`:
 * whoever can be killed has one that somebody removes.
 */
export async function openPipe(context: Context, workDir: string = tmpdir()): Promise<Pipe> {
  const dir = await mkdtemp(join(workDir, 'dib-pipe-'));
  try {
    const path = join(dir, 'pipe');
    await runTool(['mkfifo', path], context, { announce: false });
    // Reader first and non-blocking: opening a FIFO to write waits for a reader.
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const fd = openSync(path, constants.O_WRONLY);
    let open = true;
    const closeWriter = (): void => {
      if (open) {
        open = false;
        closeSync(fd);
      }
    };
    return { output: new Socket({ fd: reader, readable: true, writable: false }), fd, closeWriter };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Pipes that are opened, by `prepare`, before somebody wants them. Disposed, what nobody has taken is closed. */
export class PipeAhead implements AsyncDisposable {
  readonly #open: () => Promise<Pipe>;
  #next: Promise<Pipe> | undefined;

  constructor(context: Context, workDir: string) {
    this.#open = () => openPipe(context, workDir);
  }

  /** Opens the next one, if there is none. */
  prepare(): void {
    this.#next ??= this.#open();
    // Whoever takes it hears of a failure.
    this.#next.catch(() => {});
  }

  /** The one that is ready, else another. */
  take(): Promise<Pipe> {
    const pipe = this.#next ?? this.#open();
    this.#next = undefined;
    return pipe;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.#next?.catch(() => undefined);
    left?.closeWriter();
    left?.output.destroy();
  }
}
