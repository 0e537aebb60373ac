/** Tells a person about a failure, on standard error. */
import { readFileSync, statSync } from 'node:fs';
import type { Failure } from '../events/failure.ts';
import { type FailureContext, renderFailure } from '../events/failure-text.ts';
import { packageVersion } from './package-paths.ts';

/** Prints the failure; `context` is what only the command knows: its log file, its command line. */
export function reportFailure(failure: Failure, context: FailureContext = {}): void {
  const sourceLine = lineAt(failure);
  const lines = renderFailure(failure, {
    version: packageVersion(),
    ...(sourceLine === undefined ? {} : { sourceLine }),
    ...context,
  });
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** The line of the file that a configuration error is about. */
function lineAt(failure: Failure): string | undefined {
  if (failure.kind !== 'config' || failure.at?.line === undefined) {
    return undefined;
  }
  const { file } = failure.at;
  try {
    // Not from what cannot be read twice, such as a pipe.
    return !statSync(file).isFile()
      ? undefined
      : readFileSync(file, 'utf8').split('\n')[failure.at.line - 1];
  } catch {
    // A configuration from a variable has no file to quote.
    return undefined;
  }
}
