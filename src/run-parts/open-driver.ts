/** Starts the shell that runs the hooks of a phase, or says why there is none. */
import type { Context } from '../events/event.ts';
import { configError, Failed, hostError } from '../events/failure.ts';
import { type Exit, statusOf } from '../sandbox/process.ts';
import type { Scope } from '../sandbox/scope.ts';
import { Driver, type DriverOptions } from './driver.ts';
import type { PartsRequest } from './request.ts';

const KEPT_LINES = 20;

/** The shell belongs to `drivers`; the last lines that it prints are in `lastLines`, oldest first. */
export async function openDriver(
  request: PartsRequest,
  context: Context,
  own: { readonly drivers: Scope; readonly lastLines: string[] },
): Promise<Driver> {
  const { drivers, lastLines } = own;
  const driver = drivers.use(
    await Driver.open(driverOptions(request, context, lastLines), context),
  );
  const ready = await driver.ready();
  if (ready.kind === 'gone' && !context.signal.aborted) {
    throw notStarted(request, ready.exit, lastLines);
  }
  request.onShell?.(driver.pid);
  return driver;
}

function driverOptions(
  request: PartsRequest,
  context: Context,
  lastLines: string[],
): DriverOptions {
  const onLine = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > KEPT_LINES) {
      lastLines.shift();
    }
    context.emit({ kind: 'output', line });
  };
  const output = request.output ?? 'events';
  return {
    launcher: request.launcher,
    bash: request.where === 'host' ? 'bash' : '/bin/bash',
    env: request.env,
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    ...(request.workDir === undefined ? {} : { workDir: request.workDir }),
    ...(request.pipe === undefined ? {} : { pipe: request.pipe }),
    stdin: request.stdin ?? 'ignore',
    output: output === 'events' ? { onLine } : output,
  };
}

function notStarted(request: PartsRequest, exit: Exit, said: readonly string[]): Failed {
  const status = statusOf(exit);
  const missing = status === 126 || status === 127;
  if (missing && request.where === 'target') {
    return configError(`Cannot run the hooks of ${request.phase}.d: the target has no bash`, {
      hint: 'Hooks and environment.d need /bin/bash: add an element that installs it in root.d',
    });
  }
  if (missing) {
    return hostError(
      `Cannot run the hooks of ${request.phase}.d: bash is not installed`,
      'Install the package bash, or put it on PATH',
    );
  }
  const argv = [...request.launcher, 'bash'];
  const what = `${argv.join(' ')} failed with status ${status}`;
  return new Failed({
    kind: 'tool',
    message: `Cannot start a shell for the hooks of ${request.phase}.d: ${what}`,
    argv,
    status,
    lastLines: [...said],
  });
}
