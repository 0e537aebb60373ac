/** Reads a small command's line with commander, and turns what it objects to into our failures. */
import { type Command, CommanderError } from 'commander';
import { usageError } from '../events/failure.ts';

/**
 * Parses `argv` (without node and script). `done` means that help or the version was asked for and
 * has been printed.
 *
 * @throws Failed `usage`.
 */
export function parseArguments(command: Command, argv: readonly string[]): 'parsed' | 'done' {
  command.exitOverride().configureOutput({ writeErr: () => {} });
  try {
    command.parse(argv, { from: 'user' });
    return 'parsed';
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      throw error;
    }
    if (error.exitCode === 0) {
      return 'done';
    }
    throw usageError(sentence(error.message), `See: ${command.name()} --help`);
  }
}

/** Commander says `error: unknown option '--x'`, sometimes with a suggestion on a second line. */
function sentence(message: string): string {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  return [first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(' ');
}
