/** Ends what hooks left running, before the tree that they ran in is read or removed. */
import { readlinkSync } from 'node:fs';

/** The PID namespace that this process is in, as the kernel names it. */
export function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}

/**
 * Kills every other process of our PID namespace but its first.
 *
 * `outerNamespace` is the namespace of the process that started us: in that one, or as a process
 * whose parent is not PID 1, nothing is done. Source: kill(2), pid -1.
 */
export function killStragglers(outerNamespace: string): void {
  if (process.ppid !== 1 || pidNamespace() === outerNamespace) {
    return;
  }
  try {
    process.kill(-1, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}
