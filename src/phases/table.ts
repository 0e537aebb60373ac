/**
 * The ten phases of a build, in order, as data.
 *
 * `where`, `targetRoot` and the order are compat. Source: lib/disk-image-create. `mounts` says
 * what is mounted below the target root while the phase runs; `tree` says which tree that is.
 */
/** A phase's name, as in its directory `NAME.d` and in break points. */
export type PhaseName =
  | 'root'
  | 'extra-data'
  | 'pre-install'
  | 'install'
  | 'post-install'
  | 'post-root'
  | 'block-device'
  | 'pre-finalise'
  | 'finalise'
  | 'cleanup';

export interface Phase {
  readonly name: PhaseName;
  /** `target` hooks run in the chroot, as root, in `/`; `host` hooks in the caller's directory. */
  readonly where: 'host' | 'target';
  /** Whether `TARGET_ROOT` is exported. */
  readonly targetRoot: boolean;
  /** Whether proc, dev, dev/pts and sys are mounted in the target root. */
  readonly kernelFilesystems: boolean;
  /** Before the disk's size is fixed, or after: hooks then know its device, labels and identifiers. */
  readonly stage: 'root' | 'disk';
}

export const PHASES: readonly Phase[] = [
  { name: 'root', where: 'host', targetRoot: true, kernelFilesystems: false, stage: 'root' },
  { name: 'extra-data', where: 'host', targetRoot: false, kernelFilesystems: true, stage: 'root' },
  {
    name: 'pre-install',
    where: 'target',
    targetRoot: false,
    kernelFilesystems: true,
    stage: 'root',
  },
  { name: 'install', where: 'target', targetRoot: false, kernelFilesystems: true, stage: 'root' },
  {
    name: 'post-install',
    where: 'target',
    targetRoot: false,
    kernelFilesystems: true,
    stage: 'root',
  },
  { name: 'post-root', where: 'host', targetRoot: false, kernelFilesystems: true, stage: 'root' },
  {
    name: 'block-device',
    where: 'host',
    targetRoot: false,
    kernelFilesystems: false,
    stage: 'disk',
  },
  {
    name: 'pre-finalise',
    where: 'host',
    targetRoot: false,
    kernelFilesystems: true,
    stage: 'disk',
  },
  { name: 'finalise', where: 'target', targetRoot: false, kernelFilesystems: true, stage: 'disk' },
  { name: 'cleanup', where: 'host', targetRoot: true, kernelFilesystems: true, stage: 'disk' },
];
