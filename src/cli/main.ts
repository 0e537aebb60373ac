/** What all commands share: from what `main` returns or throws to what the process says and is. */
import { isatty } from 'node:tty';
import { exitCode, type Failure, failureOf } from '../events/failure.ts';
import { renderFailureNote } from '../events/failure-note.ts';
import { ownEnvironment } from './host-facts.ts';

/**
 * Runs a command: its number becomes the process status, a failure is told on standard error.
 *
 * Sets `process.exitCode` rather than ending the process, so that what was written gets out.
 * `outlivesReaders`: a closed standard output does not end the command (a build has to finish, or
 * to clean up after itself).
 */
export async function runCommand(
  main: () => Promise<number>,
  options: { readonly outlivesReaders?: boolean } = {},
): Promise<void> {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  if (options.outlivesReaders === true) {
    process.stdout.on('error', () => {});
  } else {
    endWithOutput();
  }
  try {
    process.exitCode = await main();
  } catch (error) {
    const failure = failureOf(error);
    const { reportFailure } = await import('./report-failure.ts');
    reportFailure(failure);
    await leaveNote(failure);
    process.exitCode = exitCode(failure);
  }
  if (terminals.some((descriptor) => !isatty(descriptor))) {
    endWithoutTerminal();
  }
}

/**
 * Node wants to put a terminal back as it was when it ends, and aborts when that is gone (SIGABRT,
 * measured with 20.20). A signal ends us without that, and SIGHUP says what happened.
 */
function endWithoutTerminal(): void {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}

/** For the build whose hook called us: its own status depends on why we failed. */
async function leaveNote(failure: Failure): Promise<void> {
  const file = ownEnvironment().DIB_FAILURE_FILE ?? '';
  const note = renderFailureNote(failure);
  if (file !== '' && note !== undefined) {
    const { writeFile } = await import('node:fs/promises');
    // Without the note the build fails all the same.
    await writeFile(file, note).catch(() => {});
  }
}

/**
 * From now on what is printed is what was asked for: where it cannot be written, the command ends.
 *
 * `COMMAND | head` is no error: whoever read us has seen enough. The status is a shell's for SIGPIPE.
 */
export function endWithOutput(): void {
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      process.exit(141);
    }
    process.stderr.write(`ERROR: Cannot write to standard output: ${error.message}\n`);
    process.exit(1);
  });
}
