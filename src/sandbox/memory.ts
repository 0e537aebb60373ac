/**
 * How much memory a build may use: the machine's, or less where a control group allows less. What lies on
 * a tmpfs counts as memory of the group that wrote it.
 */
import path from 'node:path';
import { textOrEmpty } from './small-files.ts';

export interface Memory {
  readonly totalKiB: number;
  /** What can be had without swapping. */
  readonly availableKiB: number;
}

/** The files of one control group, as they are. */
export interface GroupFiles {
  /** Bytes; in version 2 `max` where there is no limit, in version 1 a number beyond any machine's. */
  readonly max: string;
  /** Bytes. */
  readonly current: string;
  readonly stat: string;
}

/** Pure. Source of the first: proc_meminfo(5). */
export function memoryOf(meminfo: string, groups: readonly GroupFiles[]): Memory {
  const row = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0);
  const limits = groups
    .filter(({ max }) => /^\d+\s*$/.test(max))
    .map(({ max, current, stat }) => {
      // Pages of files that nobody has used for a while are given back on demand.
      const idle = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
      return { total: Number(max), available: Number(max) - Number(current) + idle };
    });
  const least = (own: number, others: readonly number[]): number =>
    Math.max(0, Math.min(own, ...others.map((bytes) => Math.floor(bytes / 1024))));
  return {
    totalKiB: least(
      row('MemTotal'),
      limits.map(({ total }) => total),
    ),
    availableKiB: least(
      row('MemAvailable'),
      limits.map(({ available }) => available),
    ),
  };
}

/** Where the memory controller's groups are. Source: cgroup-v2.rst; cgroup-v1/memory.rst. */
const HIERARCHIES = [
  {
    own: /^0::(\/.*)$/m,
    root: '/sys/fs/cgroup',
    files: ['memory.max', 'memory.current', 'memory.stat'],
  },
  {
    own: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    root: '/sys/fs/cgroup/memory',
    files: ['memory.limit_in_bytes', 'memory.usage_in_bytes', 'memory.stat'],
  },
] as const;

export async function readMemory(): Promise<Memory> {
  const own = textOrEmpty('/proc/self/cgroup');
  const groups = HIERARCHIES.flatMap((hierarchy) =>
    // In a container the path may be the host's; then only the root, the container's own, is there.
    groupsAbove(hierarchy.own.exec(own)?.[1] ?? '/').map((group) => {
      const [max = '', current = '', stat = ''] = hierarchy.files.map((name) =>
        textOrEmpty(path.join(hierarchy.root, group, name)),
      );
      return { max, current, stat };
    }),
  );
  return memoryOf(textOrEmpty('/proc/meminfo'), groups);
}

/** A control group and those that it is in. Pure. */
export function groupsAbove(group: string): readonly string[] {
  const names = group.split('/').filter(Boolean);
  return [...names.keys(), names.length].map((count) => `/${names.slice(0, count).join('/')}`);
}
