/**
 * The engine's process: it runs inside the namespaces, takes its order from descriptor 4 and tells
 * what happens on descriptor 3. Started by `build-image.ts`, never by a person.
 */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import type { Context } from '../events/event.ts';
import { Failed, type Failure, failureOf } from '../events/failure.ts';
import { FanOut } from '../events/fan-out.ts';
import { JsonLines } from '../events/json-lines.ts';
import { runBuild } from '../phases/pipeline.ts';
import type { EngineControl, EngineOrder } from '../phases/protocol.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { prepareToStart } from '../sandbox/process.ts';
import { toolEnvironment } from './host-facts.ts';

const EVENTS_DESCRIPTOR = 3;
const CONTROL_DESCRIPTOR = 4;

// The terminal sends its signals to all of us; when to stop is the command's process to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
  process.on(signal, () => {});
}

// A root directory that only root may enter is no system: what the caller's umask hides, images must show.
process.umask(0o022);
// Nor does what hooks make belong to the caller's group.
if (process.geteuid?.() === 0 && process.getegid?.() !== 0) {
  process.setgid?.(0);
}

// Not awaited: a bundle is no ES module.
void main();

async function main(): Promise<void> {
  // A socket, not a file stream: a read that waits in a thread of its own would keep us from exiting.
  const input = new Socket({ fd: CONTROL_DESCRIPTOR, writable: false });
  const lines = createInterface({ input })[Symbol.asyncIterator]();
  const coming = lines.next();
  // While the command's process finds out what to build.
  prepareToStart();
  const first = await coming;
  if (first.done) {
    process.exit(1);
  }
  const order = JSON.parse(first.value) as EngineOrder;
  const stopping = new AbortController();
  const terminal = new LentTerminal(order.terminal);
  const output = new Socket({ fd: EVENTS_DESCRIPTOR, readable: false, writable: true });
  const readers = new FanOut([new JsonLines(output)]);
  const context: Context = {
    emit: readers.emit,
    drained: () => readers.drained(),
    signal: stopping.signal,
    toolEnvironment: toolEnvironment(toolPath(order.build.plan.environment.PATH)),
  };
  void listen(lines, { terminal, stopping });

  const started = performance.now();
  const failure = await runBuild(order, { context, terminal }).then(
    () => undefined,
    (error: unknown): Failure =>
      failureOf(stopping.signal.aborted ? stopping.signal.reason : error),
  );
  readers.emit({
    kind: 'build-end',
    durationMs: performance.now() - started,
    ...(failure === undefined ? {} : { failure }),
  });
  await readers[Symbol.asyncDispose]();
  if (order.terminal && terminal.lost()) {
    // An ordinary exit without the terminal that there was is an abort; see main.ts.
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(0);
}

/** The command's terminal, which is ours only while it says so. */
class LentTerminal {
  readonly available: boolean;
  #given: (() => void) | undefined;

  constructor(available: boolean) {
    this.available = available;
  }

  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#given = resolve;
    });
  }

  give(): void {
    this.#given?.();
  }

  lost(): boolean {
    return !isatty(0);
  }
}

/** Does what the command's process says, until it is gone. */
async function listen(
  lines: AsyncIterator<string>,
  engine: { readonly terminal: LentTerminal; readonly stopping: AbortController },
): Promise<never> {
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    const said = JSON.parse(line) as EngineControl;
    if (said.control === 'terminal') {
      engine.terminal.give();
    } else {
      engine.stopping.abort(
        new Failed({
          kind: 'interrupted',
          signal: said.signal,
          message: `Interrupted by signal ${said.signal}`,
        }),
      );
    }
  }
  // Whoever could tell us anything is gone.
  process.exit(1);
}
