/** A command as root of a user namespace, for who is not root. */
import { privilegedArgv } from '../sandbox/namespace.ts';
import { start, statusOf } from '../sandbox/process.ts';
import { findRefusal, neededPrivilege } from '../sandbox/user-namespace.ts';
import { ownEnvironment } from './host-facts.ts';

/**
 * Runs `command`; for an ordinary user, runs this whole process again as root of a user namespace, in
 * which files have the owners that they have in an image. Where there can be none, no build of the
 * user's has made such files.
 */
export async function asNamespaceRoot(command: () => Promise<number>): Promise<number> {
  const env = ownEnvironment();
  if (neededPrivilege() === 'root' || (await findRefusal(env)) !== undefined) {
    return command();
  }
  const again: [string, ...string[]] = [process.execPath, ...process.argv.slice(1)];
  const running = start(
    {
      argv: ['setpriv', '--pdeathsig', 'KILL', ...privilegedArgv(again, 'user-namespace')],
      env,
      output: 'terminal',
    },
    new AbortController().signal,
  );
  return statusOf(await running.exit);
}
