/**
 * Runs a program of ours in its own mount and PID namespaces.
 *
 *     we ─▶ setpriv (dies with us) ─▶ unshare (kills its child when it dies) ─▶ sh, PID 1 ─▶ program
 *
 * So however we end, SIGKILL included, the kernel ends every process of the build and takes down
 * every mount. PID 1 is a shell because Node does not reap orphans. Measured: nothing is left after
 * SIGKILL of any one of them, for an ordinary user too: the user namespace is made by the same
 * unshare, and the parent-death signal survives it.
 */
import type { Duplex } from 'node:stream';
import { type Exit, signalQuietly, startAtOnce } from './process.ts';

/** Whose root the program is: ours, or that of a user namespace with the user's own range of ids. */
export type Privilege = 'root' | 'user-namespace';

/** Root is the user, the other ids are those of /etc/subuid. Source: unshare(1). */
const AS_NAMESPACE_ROOT = ['--user', '--map-root-user', '--map-auto'];

/** The command line that runs `program` as root in the sense of `privilege`. */
export function privilegedArgv(
  program: readonly [string, ...string[]],
  privilege: Privilege,
): [string, ...string[]] {
  return privilege === 'root' ? [...program] : ['unshare', ...AS_NAMESPACE_ROOT, ...program];
}

/** The command line that runs `program` inside new namespaces. Source: unshare(1), setpriv(1). */
export function namespaceArgv(
  program: readonly string[],
  privilege: Privilege = 'root',
): [string, ...string[]] {
  return [
    'setpriv',
    '--pdeathsig',
    'KILL',
    'unshare',
    ...(privilege === 'root' ? [] : AS_NAMESPACE_ROOT),
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    // Not exec'd (the shell must stay to reap), and its own signals are the kernel's business.
    '"$@"; exit $?',
    'sh',
    ...program,
  ];
}

export interface Contained {
  readonly pid: number | undefined;
  /** The program's descriptor 3, for what it tells us. */
  readonly fromProgram: Duplex;
  /** The program's descriptor 4, for what we tell it. */
  readonly toProgram: Duplex;
  readonly exit: Promise<Exit>;
  /**
   * Ends the program, everything that it started and every mount, at once. One that has just been started may
   * have to notice by itself that its descriptor 4 is closed.
   */
  kill(): void;
}

/**
 * Starts `program` in new namespaces, with our terminal and two pipes.
 *
 * It stays in our process group, so that a debug shell inside can be the terminal's foreground.
 */
export function startContained(
  program: readonly string[],
  host: { readonly env: Readonly<Record<string, string>>; readonly privilege: Privilege },
): Contained {
  const running = startAtOnce({ argv: namespaceArgv(program, host.privilege), env: host.env });
  const [fromProgram, toProgram] = running.extra;
  if (fromProgram === undefined || toProgram === undefined) {
    throw new Error('Cannot make the pipes to the contained program');
  }
  // It may be gone before it has read what we say; its exit tells the rest.
  toProgram.on('error', () => {});
  fromProgram.on('error', () => {});
  return {
    pid: running.pid,
    fromProgram,
    toProgram,
    exit: running.exit,
    kill: () => {
      if (running.pid !== undefined) {
        signalQuietly(running.pid, 'SIGKILL');
      }
      // unshare may not yet have told the kernel what its child is to die with: the program ends when nobody is
      // left to tell it anything.
      toProgram.destroy();
    },
  };
}
