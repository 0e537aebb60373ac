/** Whether this machine can do what some tests need of the kernel. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** For `test(..., { skip })`: why loop devices, and mounts of such file systems, cannot be had; else false. */
export function withoutLoopDevices(...types: readonly string[]): string | false {
  if (spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status !== 0) {
    return 'this machine has no loop devices';
  }
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  const missing = types.filter((type) => !known.includes(type));
  return missing.length === 0 ? false : `this kernel does not know ${missing.join(', ')}`;
}
