/**
 * Where a build works: in memory when the host has room, else on disk. All of it is mounted in our private
 * namespace and gone with it.
 */
import { accessSync, constants, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { hostError } from '../events/failure.ts';
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

/** Whether the kernel runs programs in a directory of ours: not where its file system is mounted `noexec`. */
export function mayRunPrograms(directory: string): boolean {
  const probe = path.join(directory, '.dib-probe');
  writeFileSync(probe, '', { mode: 0o755 });
  try {
    accessSync(probe, constants.X_OK);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe);
  }
}

/**
 * A tree on disk that nobody wants to keep: under an overlay mounted `volatile`, which makes every
 * package manager's fsync free. An upper on an overlay (a container's root) is refused by the kernel:
 * then we do without.
 *
 * @throws Failed `host` where programs in a plain directory could not be run.
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
  const overlay = { base: buildDir, lower: [lower], upper, work, target };
  const mounted = await mountOverlay(overlay, context).then(
    () => true,
    () => false,
  );
  context.signal.throwIfAborted();
  if (mounted) {
    return;
  }
  if (!mayRunPrograms(buildDir)) {
    throw hostError(
      `Cannot run programs in '${path.dirname(buildDir)}': its file system is mounted noexec, and no overlay can be mounted on it`,
      'Set TMPDIR to a directory where programs may be run, or build in memory: leave --no-tmpfs out',
    );
  }
  const text = 'Cannot mount an overlay here: building in a plain directory, which is slower';
  context.emit({ kind: 'message', level: 'warning', text });
}
