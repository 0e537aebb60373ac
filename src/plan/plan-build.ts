/**
 * From what the user said to a `BuildPlan`. Pure: options and environment in, a frozen value or all
 * the problems out. Source of defaults: lib/disk-image-create, lib/img-defaults (compat).
 */
import path from 'node:path';
import { configError, usageError } from '../events/failure.ts';
import type {
  BreakPlan,
  BuildPlan,
  CachePlan,
  ChecksumName,
  DiskRequest,
  IdentityPlan,
  ImagePlan,
  RamdiskPlan,
  ShowPlan,
  WorkPlan,
} from './build-plan.ts';
import { planContainer } from './container-plan.ts';
import { FORMATS, formatOf } from './formats.ts';
import { variablesThatCount } from './identifiers.ts';
import { imageArguments } from './image-arguments.ts';
import type { ImageCommand, OptionValues } from './options.ts';
import { pythonFor } from './python.ts';
import { repeatCommand } from './repeat-command.ts';
import { GIBIBYTES, SECTOR_BYTES, SettingReader, WHOLE } from './setting-reader.ts';
import { parseSourceDate } from './source-date.ts';

/** What the host and the installation say. */
export interface HostFacts {
  readonly version: string;
  /** Debian's name: `amd64`, `arm64`, ... */
  readonly arch: string;
  readonly cwd: string;
  readonly home: string;
  readonly builtinElements: string;
  readonly implicitElement: string;
  /** `$_LIB`: the shell library. */
  readonly shellLibrary: string;
  /** Node's executable and the package's folder, for hooks that run on Node. */
  readonly node: string;
  readonly packageRoot: string;
}

export interface BuildRequest {
  /** Default: `disk-image-create`. */
  readonly command?: ImageCommand;
  readonly elements: readonly string[];
  /** The command line after the command's name. */
  readonly argv: readonly string[];
  readonly options: OptionValues;
  readonly environment: Readonly<Record<string, string>>;
  readonly host: HostFacts;
}

/**
 * The plan of a build, but for the implicit elements, which need the catalogue
 * (`withElements` adds them).
 *
 * @throws Failed `usage` that lists every problem of options and variables.
 */
export function planBuild(request: BuildRequest): BuildPlan {
  const read = new SettingReader(request);
  const { host, command = 'disk-image-create' } = request;
  const ramdisk = command === 'ramdisk-image-create' ? planRamdisk(read) : undefined;
  const image = planImage(read, host.cwd, ramdisk);
  const container = planContainer(
    {
      target: read.text('dockerTarget', 'DOCKER_TARGET'),
      imageName: image.name,
      variables: request.environment,
    },
    (problem) => read.problem(problem),
  );
  const disk = planDisk(read);
  const work = planWork(read, host);
  const show = planShow(read);
  const packages = read.list('packages').flatMap(words);
  const arch = read.text('arch', 'ARCH') ?? host.arch;
  const installType = read.text('installType', 'DIB_DEFAULT_INSTALLTYPE');
  const breaks = planBreaks(read);
  const identity = planIdentity(read);
  const cache = planCache(read);
  if (request.elements.length === 0) {
    throw usageError(
      'At least one distribution root element must be specified',
      `For example: ${EXAMPLES[command]} (see '${command} --help')`,
    );
  }
  read.assertNoProblems(command);
  const elementsPath = [
    ...(read.variable('ELEMENTS_PATH')?.split(':') ?? []),
    host.builtinElements,
  ];
  const settled = { arch, installType, image, disk, work, show, packages, elementsPath, ramdisk };
  return Object.freeze({
    version: host.version,
    elements: request.elements,
    requested: request.elements,
    elementsPath,
    implicitElement: host.implicitElement,
    arch,
    image,
    ...(ramdisk === undefined ? {} : { ramdisk }),
    container,
    disk,
    work,
    packages,
    breaks,
    cache,
    show,
    identity,
    repeat: repeatCommand([command, ...request.argv], request.environment),
    environment: hookEnvironment(request, read, settled),
  });
}

/** Whether the plan asks for the element `base` to be added. */
export function wantsBase(options: OptionValues): boolean {
  return options.skipBase !== true;
}

/** What to say to whoever names no element. */
const EXAMPLES: Readonly<Record<ImageCommand, string>> = {
  'disk-image-create': 'disk-image-create vm debian-minimal',
  'ramdisk-image-create': 'ramdisk-image-create debian-minimal',
};

/** Several elements may be named, separated by blanks (compat). */
function planRamdisk(read: SettingReader): RamdiskPlan {
  const named = words(read.text('ramdiskElement', 'RAMDISK_ELEMENT') ?? '');
  return {
    elements: named.length === 0 ? ['ramdisk'] : named,
    unmadeTypes: typesAsked(read, []).filter((type) => formatOf(type)?.source === 'disk'),
  };
}

/** The types that `-t` names, else those. */
function typesAsked(read: SettingReader, otherwise: readonly string[]): readonly string[] {
  const asked = read.text('types')?.split(',') ?? otherwise;
  return [...new Set(asked.map((type) => type.trim()))];
}

function planImage(read: SettingReader, cwd: string, ramdisk: RamdiskPlan | undefined): ImagePlan {
  const asked = typesAsked(read, ramdisk === undefined ? ['qcow2'] : []);
  const types = asked.filter((type) => ramdisk?.unmadeTypes.includes(type) !== true);
  for (const type of types) {
    if (formatOf(type) === undefined) {
      read.problem(
        `Unknown image type '${type}'; known types: ${FORMATS.map((format) => format.type).join(', ')}`,
      );
    }
  }
  const options = read.text('qemuImgOptions', 'QEMU_IMG_OPTIONS');
  const manifest = read.variable('ACI_MANIFEST');
  return {
    name: stripSuffix(read.text('output', 'IMAGE_NAME') ?? 'image', types),
    cwd,
    types,
    checksums: checksums(read.flag('checksum') ? '1' : (read.variable('DIB_CHECKSUM') ?? '0')),
    compress: !read.flag('uncompressed'),
    ...(options === undefined ? {} : { qemuImgOptions: options }),
    overwrite: !['', '0'].includes(read.variable('OVERWRITE_OLD_IMAGE') ?? '0'),
    gzip: read.variable('DIB_GZIP_BIN') ?? 'gzip',
    ...(manifest === undefined ? {} : { aciManifest: manifest }),
  };
}

/** With exactly one type, one trailing `.<type>` is dropped: `-t raw -o a.raw` writes `a.raw` (compat). */
function stripSuffix(name: string, types: readonly string[]): string {
  const suffix = `.${types[0]}`;
  return types.length === 1 && name.endsWith(suffix) && name !== suffix
    ? name.slice(0, -suffix.length)
    : name;
}

/** `0` and empty: none; `1`: both; else those whose name occurs in it (compat). */
function checksums(value: string): readonly ChecksumName[] {
  const known = ['md5', 'sha256'] as const;
  if (value === '' || value === '0') {
    return [];
  }
  return value === '1' ? known : known.filter((name) => value.includes(name));
}

function planDisk(read: SettingReader): DiskRequest {
  const config = read.variable('DIB_BLOCK_DEVICE_CONFIG');
  const imageSize = read.number('imageSize', 'DIB_IMAGE_SIZE', GIBIBYTES);
  const extraSize = read.number('imageExtraSize', 'DIB_IMAGE_EXTRA_SIZE');
  const blockSize = read.number(undefined, 'DIB_BLOCK_SIZE', SECTOR_BYTES);
  const maxOnlineResize = read.number('maxOnlineResize', 'MAX_ONLINE_RESIZE', WHOLE);
  const rootLabel = read.text('rootLabel', 'ROOT_LABEL');
  return {
    ...(config === undefined ? {} : { config }),
    ...(imageSize === undefined ? {} : { imageSize }),
    ...(extraSize === undefined ? {} : { extraSize }),
    journalSize: read.number('mkfsJournalSize', 'DIB_JOURNAL_SIZE', WHOLE) ?? 64,
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(maxOnlineResize === undefined ? {} : { maxOnlineResize }),
    mkfsOptions: read.text('mkfsOptions', 'MKFS_OPTS') ?? '',
    ...(rootLabel === undefined ? {} : { rootLabel }),
    rootFsType: read.variable('FS_TYPE') ?? 'ext4',
  };
}

function planWork(read: SettingReader, { home, cwd }: BuildRequest['host']): WorkPlan {
  const tmpDir = read.variable('TMPDIR') ?? read.variable('TMP_DIR') ?? '/tmp';
  if (path.resolve(cwd, tmpDir).includes(':')) {
    read.problem(
      `TMPDIR must have no colon in its path, where PATH of hooks would end: '${path.resolve(cwd, tmpDir)}'`,
    );
  }
  return {
    tmpDir,
    // Only the exact string 0 allows a tmpfs (compat).
    noTmpfs: read.flag('noTmpfs') || (read.variable('DIB_NO_TMPFS') ?? '0') !== '0',
    minTmpfs: read.number('minTmpfs', 'DIB_MIN_TMPFS') ?? 2,
    imageCache: read.directory('imageCache', 'DIB_IMAGE_CACHE') ?? `${home}/.cache/image-create`,
    lockFiles: read.variable('DIB_LOCKFILES') ?? `${home}/.cache/dib/lockfiles`,
  };
}

function planShow(read: SettingReader): ShowPlan {
  const logFile = read.text('logfile');
  const quiet = read.variable('DIB_QUIET');
  const on = (name: string): boolean => !['', '0'].includes(read.variable(name) ?? '0');
  return {
    ...(logFile === undefined ? {} : { logFile }),
    // A log file silences the console unless DIB_QUIET=0 says otherwise (compat).
    quiet: quiet === undefined ? logFile !== undefined : quiet !== '0',
    timestamps: !on('DIB_NO_TIMESTAMP'),
    imageUsage: on('DIB_SHOW_IMAGE_USAGE_FULL')
      ? 'full'
      : on('DIB_SHOW_IMAGE_USAGE')
        ? 'large'
        : 'none',
    trace: read.count('trace') + (Number(read.variable('DIB_DEBUG_TRACE') ?? 0) || 0),
  };
}

function planIdentity(read: SettingReader): IdentityPlan {
  const given = read.variable('SOURCE_DATE_EPOCH');
  const sourceDate = given === undefined ? undefined : parseSourceDate(given);
  if (given !== undefined && sourceDate === undefined) {
    read.problem(`SOURCE_DATE_EPOCH must be seconds since 1970, a whole number: '${given}'`);
  }
  return {
    ...(sourceDate === undefined ? {} : { sourceDate }),
    seed: read.variable('DIB_IMAGE_SEED') ?? '',
  };
}

function planBreaks(read: SettingReader): BreakPlan {
  const command = read.variable('break_cmd');
  return {
    points: (read.variable('break') ?? '')
      .split(',')
      .map((point) => point.trim())
      .filter(Boolean),
    ...(command === undefined ? {} : { command }),
    outsideTarget: (read.variable('break_outside_target') ?? '') !== '',
  };
}

function planCache(read: SettingReader): CachePlan {
  const from = read.text('cacheFrom', 'DIB_CACHE_FROM');
  const off = read.flag('noCache') || (read.variable('DIB_NO_LAYERS') ?? '0') !== '0';
  const resume = read.flag('resume');
  if (off && resume) {
    read.problem('--resume goes on from layers, which --no-cache (DIB_NO_LAYERS) does not use');
  }
  return {
    off,
    ...(from === undefined ? {} : { from }),
    resume,
    explain: read.flag('explain'),
    maxAgeHours: read.number('cacheMaxAge', 'DIB_CACHE_MAX_AGE') ?? DEFAULT_MAX_AGE_HOURS,
    sizeGiB: read.number('cacheSize', 'DIB_CACHE_SIZE') ?? DEFAULT_CACHE_GIB,
  };
}

/** A week: what nobody declares may be as old. */
const DEFAULT_MAX_AGE_HOURS = 168;

const DEFAULT_CACHE_GIB = 20;

/** Packages may be separated by commas or blanks; empty fields vanish (compat). */
function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

type Settled = Pick<
  BuildPlan,
  'arch' | 'image' | 'disk' | 'work' | 'show' | 'packages' | 'elementsPath'
> & {
  readonly installType: string | undefined;
  readonly ramdisk: RamdiskPlan | undefined;
};

/** What `-c` leaves: enough to run programs. */
const KEPT_WHEN_CLEARED = ['HOME', 'LANG', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'];

/** The exported variables that every hook sees, before the engine's own. Source: dib contract, 2.1. */
function hookEnvironment(
  request: BuildRequest,
  read: SettingReader,
  plan: Settled,
): Readonly<Record<string, string>> {
  const kept =
    request.options.clearEnvironment === true
      ? Object.fromEntries(
          Object.entries(request.environment).filter(([name]) => KEPT_WHEN_CLEARED.includes(name)),
        )
      : request.environment;
  // A preset IMAGE_ELEMENT is not ours to prepend: it would make every nested build grow.
  const { IMAGE_ELEMENT: _preset, ...environment } = kept;
  return {
    ...environment,
    LC_ALL: 'C',
    ARCH: plan.arch,
    IMAGE_NAME: plan.image.name,
    IMAGE_TYPE: read.variable('IMAGE_TYPE') ?? 'qcow2',
    FS_TYPE: plan.disk.rootFsType,
    ELEMENTS_PATH: plan.elementsPath.join(':'),
    _LIB: request.host.shellLibrary,
    // Elements of others start their Python helpers with it; none of ours needs any.
    DIB_PYTHON_EXEC: read.variable('DIB_PYTHON_EXEC') ?? pythonFor(plan.elementsPath),
    DIBKIT_NODE: request.host.node,
    DIBKIT_ROOT: request.host.packageRoot,
    DIBKIT_PACKAGES: plan.packages.join(' '),
    DIB_ARGS: imageArguments(request.argv).join(' '),
    DIB_ENV: dibVariables(request.environment),
    DIB_CONTAINER_BUILD: isContainerBuild(request, plan) ? '1' : '0',
    DIB_CHECKSUM: read.flag('checksum') ? '1' : (read.variable('DIB_CHECKSUM') ?? '0'),
    DIB_DEBUG_TRACE: String(plan.show.trace),
    DIB_IMAGE_CACHE: plan.work.imageCache,
    DIB_LOCKFILES: plan.work.lockFiles,
    DIB_MIN_TMPFS: String(plan.work.minTmpfs),
    DIB_NO_TMPFS: plan.work.noTmpfs ? '1' : '0',
    DIB_OFFLINE: read.flag('offline') ? '1' : (read.variable('DIB_OFFLINE') ?? ''),
    SKIP_BASE: wantsBase(request.options) ? '0' : '1',
    IS_RAMDISK: plan.ramdisk === undefined ? '0' : '1',
    ...(plan.ramdisk === undefined ? {} : { RAMDISK_ELEMENT: plan.ramdisk.elements.join(' ') }),
    ...(plan.installType === undefined ? {} : { DIB_DEFAULT_INSTALLTYPE: plan.installType }),
  };
}

/** Whether nothing but containers is made of the tree: it then needs no kernel of its own. */
function isContainerBuild({ elements }: BuildRequest, { image, ramdisk }: Settled): boolean {
  return (
    ramdisk === undefined &&
    !elements.includes('vm') &&
    image.types.every((type) => formatOf(type)?.container === true)
  );
}

/**
 * The user's `DIB_*` variables as `declare -p` prints them, for the manifest (compat). The manifest is
 * in the image, so it has only those that are about the image: that is the same however it was built.
 */
function dibVariables(environment: Readonly<Record<string, string>>): string {
  return Object.entries(variablesThatCount(environment))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `declare -x ${name}="${value.replaceAll(/["\\$`]/g, '\\$&')}"`)
    .join('\n');
}

/** A plan for other elements than were typed: the implicit ones are known once there is a catalogue. */
export function withElements(plan: BuildPlan, elements: readonly string[]): BuildPlan {
  if (elements.length === 0) {
    throw configError('Cannot plan a build of no elements');
  }
  return Object.freeze({ ...plan, elements });
}
