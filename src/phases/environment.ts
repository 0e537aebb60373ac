/**
 * The variables that hooks see, by phase. Pure. Source: dib contract, 2.1 (compat).
 *
 * What the user exported passes through; the engine's own rows override it. Chroot hooks get what
 * upstream's `sudo -E` lets through, with a `PATH` that exists in the target.
 */
import type { BuildPlan } from '../plan/build-plan.ts';
import type { Phase } from './table.ts';

/** Where the build happens, as hooks are told. Host paths. */
export interface BuildPaths {
  /** `TMP_BUILD_DIR`. */
  readonly buildDir: string;
  /** `TMP_IMAGE_DIR`. */
  readonly imageDir: string;
  /** `TMP_HOOKS_PATH`. */
  readonly hooksDir: string;
  /** `TMP_MOUNT_PATH`, the target root. */
  readonly targetRoot: string;
}

/** What the block-device configuration says before there is a disk. */
export interface DiskVariables {
  readonly rootLabel: string;
  readonly rootFsType: string;
  readonly bootLabel: string;
  readonly mountPoints: readonly string[];
  readonly paramsFile: string;
  /** Known when the root phases are done. */
  readonly settled?: SettledDisk;
  /** In device mode, when the root phases are done: by the names of disks and partitions. */
  readonly devices?: ReadonlyMap<string, string>;
}

/** What depends on the tree, or on what it was made from. */
export interface SettledDisk {
  readonly imageSizeKiB: number;
  readonly rootUuid: string;
  /** Empty when there is no file system at `/boot`. */
  readonly bootUuid: string;
}

export interface EnvironmentRequest {
  readonly plan: BuildPlan;
  readonly paths: BuildPaths;
  /** `IMAGE_ELEMENT`, `IMAGE_ELEMENT_YAML` and the function `get_image_element_array`. */
  readonly elementVariables: Readonly<Record<string, string>>;
  /** `ELEMENTS_PATH`. */
  readonly elementsPath: readonly string[];
  readonly disk: DiskVariables;
}

type Environment = Readonly<Record<string, string>>;

/** Where `hooks/` is seen inside the target. */
export const TARGET_HOOKS = '/tmp/in_target.d';

/** Where a hook's commands leave word of why they failed: as hooks see the file, and as we do. */
export function failureNote(
  paths: BuildPaths,
  phase: Pick<Phase, 'where'>,
): { readonly seenByHooks: string; readonly seenHere: string } {
  const name = '/tmp/.dib-failure';
  return phase.where === 'target'
    ? { seenByHooks: name, seenHere: `${paths.targetRoot}${name}` }
    : { seenByHooks: `${paths.buildDir}/failure`, seenHere: `${paths.buildDir}/failure` };
}

const TARGET_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Variables that make no sense in, or must not leak into, the target. Source: sudo(8), `env_delete`. */
const NOT_IN_TARGET = new Set([
  'BASH_ENV',
  'ENV',
  'IFS',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'NODE_OPTIONS',
  'NODE_PATH',
  'OLDPWD',
  'PERL5LIB',
  'PERLLIB',
  'PS4',
  'PWD',
  'PYTHONHOME',
  'PYTHONPATH',
  'SHELLOPTS',
  'BASHOPTS',
  'TMPDIR',
  'VIRTUAL_ENV',
]);

/**
 * Prints its arguments and ends the hook, never with success.
 * Source: lib/common-functions, `die` (upstream's may exit 0).
 */
const DIE_FUNCTION = `() { local status=$?; echo "$@" >&2; [ "$status" -ne 0 ] || status=1; exit "$status"
}`;

/** The whole environment of the hooks of one phase. */
export function phaseEnvironment(request: EnvironmentRequest, phase: Phase): Environment {
  const shared = { ...request.plan.environment, ...engineVariables(request, phase) };
  return phase.where === 'host' ? hostEnvironment(request, shared) : targetEnvironment(shared);
}

function hostEnvironment(request: EnvironmentRequest, shared: Environment): Environment {
  const { hooksDir } = request.paths;
  return {
    ...shared,
    ...request.elementVariables,
    'BASH_FUNC_die%%': DIE_FUNCTION,
    PATH: `${hooksDir}/host-bin:${withSystemDirectories(shared.PATH ?? '')}`,
  };
}

/** `mkfs` and `chroot` live in sbin, which an ordinary user's PATH lacks. */
function withSystemDirectories(path: string): string {
  const entries = path.split(':').filter((entry) => entry !== '');
  const missing = TARGET_PATH.split(':').filter((entry) => !entries.includes(entry));
  return [...entries, ...missing].join(':');
}

function targetEnvironment(shared: Environment): Environment {
  const kept = Object.entries(shared).filter(
    ([name]) => !NOT_IN_TARGET.has(name) && !name.startsWith('BASH_FUNC_'),
  );
  return {
    ...Object.fromEntries(kept),
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/sh',
    PATH: TARGET_PATH,
  };
}

function engineVariables(request: EnvironmentRequest, phase: Phase): Environment {
  const { disk, paths, elementVariables } = request;
  const { IMAGE_ELEMENT = '', IMAGE_ELEMENT_YAML = '' } = elementVariables;
  return {
    IMAGE_ELEMENT,
    IMAGE_ELEMENT_YAML,
    ELEMENTS_PATH: request.elementsPath.join(':'),
    TMP_BUILD_DIR: paths.buildDir,
    TMP_IMAGE_DIR: paths.imageDir,
    TMP_HOOKS_PATH: paths.hooksDir,
    TMP_MOUNT_PATH: paths.targetRoot,
    DIB_BLOCK_DEVICE_PARAMS_YAML: disk.paramsFile,
    DIB_ROOT_LABEL: disk.rootLabel,
    DIB_ROOT_FSTYPE: disk.rootFsType,
    DIB_BOOT_LABEL: disk.bootLabel,
    DIB_MOUNTPOINTS: disk.mountPoints.join('|'),
    DIB_DISK_MODE: disk.devices === undefined ? 'tree' : 'device',
    ...deviceVariables(disk.devices),
    // Not in the element's environment.d: every phase reads that, and few care for the image's name.
    DIB_MANIFEST_SAVE_DIR:
      request.plan.environment.DIB_MANIFEST_SAVE_DIR || `${request.plan.image.name}.d/`,
    DIB_FAILURE_FILE: failureNote(paths, phase).seenByHooks,
    ...(phase.targetRoot ? { TARGET_ROOT: paths.targetRoot } : {}),
    ...settledVariables(disk, phase),
  };
}

/** The second is text for bash to make an array of (compat). Source: dib contract, 2.1. */
function deviceVariables(devices: DiskVariables['devices']): Environment {
  if (devices === undefined) {
    return {};
  }
  const all = [...devices].map(([name, device]) => `[${name}]=${device}`);
  const main = devices.get('image0') ?? [...devices.values()][0] ?? '';
  return { IMAGE_BLOCK_DEVICE: main, IMAGE_BLOCK_DEVICES: all.join(' ') };
}

/** The unit of the size changes to KiB once it is known (compat). */
function settledVariables({ settled }: DiskVariables, phase: Phase): Environment {
  return phase.stage === 'disk' && settled !== undefined
    ? {
        DIB_IMAGE_SIZE: String(settled.imageSizeKiB),
        DIB_ROOT_UUID: settled.rootUuid,
        DIB_BOOT_UUID: settled.bootUuid,
      }
    : {};
}
