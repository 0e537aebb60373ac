/** Finds and ends what hooks left running, before the tree that they ran in is read or removed. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The PID namespace that this process is in, as the kernel names it. */
export function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
}

/**
 * How often we look again: whoever starts processes faster than we end them loses when none of its kind is
 * left to start one, so this is a bound against our own faults only.
 */
const ROUNDS = 1000;

/**
 * Kills every other process of our PID namespace but its first and those that we have started ourselves:
 * what hooks leave has lost its parent, and belongs to the first.
 *
 * `outerNamespace` is the namespace of the process that started us: in that one, or as a process
 * whose parent is not PID 1, nothing is done.
 */
export function killStragglers(outerNamespace: string): void {
  if (process.ppid !== 1 || pidNamespace() === outerNamespace) {
    return;
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = stragglersIn(runningProcesses(), process.pid);
    if (found.length === 0) {
      return;
    }
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
          throw error;
        }
      }
    }
  }
  throw new Error('Processes that hooks have left cannot be ended');
}

/**
 * The processes of our PID namespace that have a mount namespace of their own, with all that was mounted in ours
 * when they made it. Empty where the PID namespace is not ours alone.
 */
export function withOtherMounts(): readonly number[] {
  if (process.ppid !== 1) {
    return [];
  }
  const ours = mountNamespace('self');
  return runningProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => ![ours, undefined].includes(mountNamespace(pid)));
}

/** Undefined for one that has ended meanwhile. */
function mountNamespace(pid: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** All that are neither PID 1 nor `own` nor descend from `own`. Pure. */
export function stragglersIn(processes: readonly ProcessRow[], own: number): readonly number[] {
  const parents = new Map(processes.map(({ pid, parent }) => [pid, parent]));
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === own || isOurs(parents.get(pid)));
  return [...parents.keys()].filter((pid) => pid !== 1 && !isOurs(pid));
}

/** Of this PID namespace, those that have ended and wait for their parent left out. */
function runningProcesses(): readonly ProcessRow[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const row = processRow(Number(name));
      return row === undefined ? [] : [row];
    });
}

function processRow(pid: number): ProcessRow | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the last parenthesis may hold anything. Source: proc_pid_stat(5).
    const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(state) ? undefined : { pid, parent: Number(parent) };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
