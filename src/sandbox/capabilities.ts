/** What root may do here: in a container it often may not do all. Pure. */

/** Source: capability.h. */
export const CAP_SYS_ADMIN = 21n;
export const CAP_SYS_NICE = 23n;

/** Whether a set of capabilities in the text of /proc/self/status has one. Source: proc_pid_status(5). */
export function hasCapability(
  status: string,
  set: 'CapEff' | 'CapBnd',
  capability: bigint,
): boolean {
  const found = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${found}`) >> capability) & 1n) === 1n;
}

/**
 * Whether an idle process of ours may be made as urgent as others again; `limits` is the text of
 * /proc/self/limits. Source: sched(7); getrlimit(2), RLIMIT_NICE: 20 stands for a nice value of 0.
 */
export function mayRaise(facts: {
  readonly status: string;
  readonly limits: string;
  readonly inNamespace: boolean;
}): boolean {
  const { status, limits, inNamespace } = facts;
  const limit = /^Max nice priority\s+(\S+)/m.exec(limits)?.[1] ?? '0';
  return (
    (!inNamespace && hasCapability(status, 'CapEff', CAP_SYS_NICE)) ||
    limit === 'unlimited' ||
    Number(limit) >= 20
  );
}
