/** What hooks have mounted below the target root, read from the kernel's table. Pure. */
import path from 'node:path';
import type { BindRecord } from './record.ts';
import { withoutRunPaths } from './variables.ts';

/** One line of /proc/self/mountinfo. Source: proc_pid_mountinfo(5). */
interface MountLine {
  readonly id: string;
  readonly device: string;
  /** The directory of that file system which is mounted. */
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
  readonly type: string;
}

export interface HookMounts {
  readonly binds: readonly BindRecord[];
  /** What we could not make again: mount points with their file system's type, parts of the tree elsewhere. */
  readonly others: readonly string[];
}

/** Where hooks in the target see the hook tree. */
export const HOOKS_VIEW = 'tmp/in_target.d';

/** Where the engine mounts its own. */
const OURS = new Set(['proc', 'dev', 'dev/pts', 'sys', HOOKS_VIEW]);

export interface TargetPaths {
  readonly targetRoot: string;
  readonly runPaths: ReadonlyMap<string, string>;
  /** Directories that end with the build or before, such as uppers: nothing in there can be bound again. */
  readonly passing?: readonly string[];
}

/** The mounts below `targetRoot` that are not ours, and those of the tree itself outside. */
export function hookMounts(mountinfo: string, paths: TargetPaths): HookMounts {
  const { targetRoot, runPaths, passing = [] } = paths;
  const lines = mountinfo.split('\n').filter(Boolean).map(parseLine);
  const binds: BindRecord[] = [];
  const others: string[] = [];
  for (const line of lines.filter(({ point }) => point.startsWith(`${targetRoot}/`))) {
    const target = path.relative(targetRoot, line.point);
    if (isOurs(target)) {
      continue;
    }
    const source = sourceOf(line, lines, targetRoot);
    if (source === undefined || passing.some((gone) => isAtOrBelow(source, gone))) {
      others.push(`/${target} (${line.type})`);
    } else {
      binds.push({
        source: withoutRunPaths(source, runPaths),
        target,
        readOnly: line.options.includes('ro'),
      });
    }
  }
  others.push(...seenElsewhere(lines, targetRoot).map((point) => `a part of the tree on ${point}`));
  return { binds, others };
}

function isAtOrBelow(file: string, directory: string): boolean {
  return file === directory || directory === '/' || file.startsWith(`${directory}/`);
}

/** Where else the tree, or a part of it, is mounted: there it can be changed when it is a layer. */
function seenElsewhere(lines: readonly MountLine[], targetRoot: string): readonly string[] {
  const tree = lines.findLast(({ point }) => point === targetRoot);
  if (tree === undefined) {
    return [];
  }
  return lines
    .filter(({ device, root }) => device === tree.device && isAtOrBelow(root, tree.root))
    .map(({ point }) => point)
    .filter((point) => !isAtOrBelow(point, targetRoot));
}

function isOurs(target: string): boolean {
  return OURS.has(target) || /^(?:proc|sys|dev)\//.test(target);
}

/** Where else the same directory can be seen: on the host, outside the target. */
function sourceOf(
  line: MountLine,
  lines: readonly MountLine[],
  targetRoot: string,
): string | undefined {
  const seen = lines.filter(
    ({ device, root, point }) =>
      device === line.device &&
      point !== targetRoot &&
      !point.startsWith(`${targetRoot}/`) &&
      (root === '/' || line.root === root || line.root.startsWith(`${root}/`)),
  );
  const [best] = seen.sort((a, b) => b.root.length - a.root.length);
  return best === undefined
    ? undefined
    : path.join(best.point, path.posix.relative(best.root, line.root));
}

function parseLine(text: string): MountLine {
  const fields = text.split(' ');
  const dash = fields.indexOf('-');
  return {
    id: fields[0] ?? '',
    device: fields[2] ?? '',
    root: unescaped(fields[3] ?? ''),
    point: unescaped(fields[4] ?? ''),
    options: (fields[5] ?? '').split(','),
    type: fields[dash + 1] ?? '',
  };
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
