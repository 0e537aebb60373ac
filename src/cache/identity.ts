/**
 * Who a process is, in a form that others can judge later: is it still there?
 *
 * A process number alone does not say: numbers are used again, and every PID namespace has its own
 * (the hooks of each build run in one). So an identity is the boot, the namespace, the number and
 * the start time.
 */
import { readFile, readlink } from 'node:fs/promises';

export interface Identity {
  /** Source: proc(5), /proc/sys/kernel/random/boot_id, without hyphens. */
  readonly boot: string;
  /** The inode of the PID namespace. Source: namespaces(7). */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks after boot. Source: proc(5), /proc/PID/stat, field 22. */
  readonly startTicks: string;
}

/** `unknown`: it is out of our sight, on another machine or in another PID namespace. */
export type Liveness = 'alive' | 'gone' | 'unknown';

/** The identity as a word that can be part of a file name. */
export function renderIdentity(identity: Identity): string {
  return [identity.boot, identity.pidNamespace, identity.pid, identity.startTicks].join('-');
}

/** The identity at the start of a text that `renderIdentity` wrote, whatever follows after a dot. */
export function parseIdentity(text: string): Identity | undefined {
  const match = /^([0-9a-f]*)-(\d*)-(\d+)-(\d*)(?:\.|$)/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, boot = '', pidNamespace = '', pid = '', startTicks = ''] = match;
  return { boot, pidNamespace, pid: Number(pid), startTicks };
}

let own: Promise<Identity> | undefined;

/** This process. */
export function ownIdentity(): Promise<Identity> {
  own ??= identityOf(process.pid);
  return own;
}

/** A process of our own PID namespace, such as a child. */
export async function identityOf(pid: number): Promise<Identity> {
  const [boot, namespace, state] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/pid').catch(() => ''),
    readProcess(pid),
  ]);
  return {
    boot: boot.replaceAll(/[^0-9a-f]/g, ''),
    pidNamespace: /\d+/.exec(namespace)?.[0] ?? '',
    pid,
    startTicks: state?.startTicks ?? '',
  };
}

/** Whether the process that an identity names still runs. A zombie does not. */
export async function livenessOf(identity: Identity): Promise<Liveness> {
  const us = await ownIdentity();
  if (us.boot === '' || identity.boot !== us.boot || identity.pidNamespace !== us.pidNamespace) {
    return 'unknown';
  }
  const state = await readProcess(identity.pid);
  return state !== undefined && state.startTicks === identity.startTicks ? 'alive' : 'gone';
}

async function readProcess(pid: number): Promise<{ readonly startTicks: string } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field, the command, may contain blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isDead = fields[0] === 'Z' || fields[0] === 'X';
    return isDead ? undefined : { startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
