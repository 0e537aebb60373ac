/**
 * Where a build works: in memory when the host has room, else on disk. All of it is mounted in our private
 * namespace and gone with it.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { readMemory } from './memory.ts';
import { mount } from './mounts.ts';
import { mountOverlay } from './overlay.ts';

export interface WorkTreeRequest {
  readonly buildDir: string;
  readonly imageDir: string;
  readonly noTmpfs: boolean;
  /** GiB. */
  readonly minTmpfs: number;
}

export interface WorkTree {
  /** `<buildDir>/mnt`, an empty directory of root's. */
  readonly targetRoot: string;
  readonly inMemory: boolean;
}

/** Whether to build in memory: there is twice the minimum (compat). Pure. */
export function wantsTmpfs(request: WorkTreeRequest, memoryKiB: number): boolean {
  return !request.noTmpfs && memoryKiB >= 2 * request.minTmpfs * 1024 * 1024;
}

/** Prepares the work directories. */
export async function openWorkTree(request: WorkTreeRequest, context: Context): Promise<WorkTree> {
  const { totalKiB } = await readMemory();
  const inMemory = wantsTmpfs(request, totalKiB);
  if (inMemory) {
    // The kernel notes every access here, not just the first of a day: see layers/trace.ts.
    const options = `mode=755,strictatime,size=${Math.floor(totalKiB / 2)}k`;
    const tmpfs = { source: 'tmpfs', type: 'tmpfs', options };
    await Promise.all(
      [request.buildDir, request.imageDir].map((target) => mount({ ...tmpfs, target }, context)),
    );
  } else if (!request.noTmpfs) {
    const text = `Not enough RAM to build in memory (${Math.floor(totalKiB / 1024)} MiB, wanted ${
      2 * request.minTmpfs
    } GiB): building on disk`;
    context.emit({ kind: 'message', level: 'warning', text });
  }
  const targetRoot = path.join(request.buildDir, 'mnt');
  await mkdir(targetRoot, { mode: 0o755 });
  return { targetRoot, inMemory };
}

/**
 * A tree on disk that nobody wants to keep: under an overlay mounted `volatile`, which makes every
 * package manager's fsync free. An upper on an overlay (a container's root) is refused by the kernel:
 * then we do without.
 */
export async function mountThrowawayTree(
  buildDir: string,
  target: string,
  context: Context,
): Promise<void> {
  const [lower = '', upper = '', work = ''] = ['lower', 'upper', 'work'].map((name) =>
    path.join(buildDir, 'overlay', name),
  );
  for (const directory of [lower, upper, work]) {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  }
  try {
    await mountOverlay({ base: buildDir, lower: [lower], upper, work, target }, context);
  } catch {
    context.signal.throwIfAborted();
    context.emit({
      kind: 'message',
      level: 'warning',
      text: 'Cannot mount an overlay here: building in a plain directory, which is slower',
    });
  }
}
