/**
 * What a build needs of the host, and what the host lacks of it: found out before any work starts.
 */
import path from 'node:path';
import { fileSystemType } from '../disk/file-systems.ts';
import { configError, hostError } from '../events/failure.ts';
import type { Compression } from '../plan/container-plan.ts';
import { type FormatTool, formatsOf } from '../plan/formats.ts';
import { type Entry, type Located, parseLocated } from '../plan/located-yaml.ts';
import { Problems } from '../plan/problems.ts';
import { findTool, type PackageFamily } from '../sandbox/host-tools.ts';
import type { Privilege } from '../sandbox/namespace.ts';
import { textOrEmpty } from '../sandbox/small-files.ts';

/** One need: any one of `tools` does; `packages` has the first one, by family of distribution. */
export interface Requirement {
  readonly tools: readonly string[];
  readonly packages: Readonly<Partial<Record<PackageFamily, string>>>;
  /** "to ..." */
  readonly why: string;
}

/** What a build will do, as far as tools are concerned. */
export interface Needs {
  readonly types: readonly string[];
  /** Whether a disk is written at all. */
  readonly disk: boolean;
  readonly fsTypes: readonly string[];
  /** Of layers of container images, where the user chose. */
  readonly compression?: Compression;
  readonly privilege: Privilege;
  /** Whether hooks work on a block device. */
  readonly device?: boolean;
  /** Whether there are break points with a shell. */
  readonly shells?: boolean;
}

interface Row extends Requirement {
  readonly when: (needs: Needs) => boolean;
}

const always = (): boolean => true;
const same = (name: string): Requirement['packages'] => ({
  debian: name,
  redhat: name,
  suse: name,
});

/** Whether one of the formats asked for is made by that program. */
function usesTool({ types }: Needs, tool: FormatTool): boolean {
  return formatsOf(types).some((format) => format.tools.includes(tool));
}

/** Why a build needs `newuidmap` and `newgidmap`. */
export const ID_TOOLS_ARE_FOR = 'to build as an ordinary user';

function isMounted(type: string): boolean {
  return fileSystemType(type)?.fill === 'mount';
}

const ROWS: readonly Row[] = [
  { tools: ['bash'], packages: same('bash'), why: 'to run hooks', when: always },
  ...['unshare', 'setpriv', 'mount', 'umount'].map((tool) => ({
    tools: [tool],
    packages: {
      debian: tool.endsWith('mount') ? 'mount' : 'util-linux',
      redhat: 'util-linux',
      suse: 'util-linux',
    },
    why: 'to run the build in namespaces of its own',
    when: always,
  })),
  ...['newuidmap', 'newgidmap'].map((tool) => ({
    tools: [tool],
    packages: { debian: 'uidmap', redhat: 'shadow-utils', suse: 'shadow' },
    why: ID_TOOLS_ARE_FOR,
    when: (needs: Needs) => needs.privilege === 'user-namespace',
  })),
  ...['chroot', 'du'].map((tool) => ({
    tools: [tool],
    packages: same('coreutils'),
    why: 'to run hooks in the target and measure it',
    when: always,
  })),
  {
    tools: ['find'],
    packages: same('findutils'),
    why: 'to measure the target',
    when: always,
  },
  {
    tools: ['script'],
    packages: { debian: 'bsdutils', redhat: 'util-linux', suse: 'util-linux' },
    why: 'to give debug shells a terminal of their own',
    when: (needs) => needs.shells === true,
  },
  {
    tools: ['tar'],
    packages: same('tar'),
    why: 'to write archives, and to keep what directories have beside their mode',
    when: always,
  },
  {
    tools: ['zstd'],
    packages: same('zstd'),
    why: 'to compress images',
    when: (needs) => usesTool(needs, 'zstd'),
  },
  {
    tools: ['xz'],
    packages: { debian: 'xz-utils', redhat: 'xz', suse: 'xz' },
    why: 'to compress images',
    when: (needs) => usesTool(needs, 'xz'),
  },
  {
    tools: ['mksquashfs'],
    packages: { debian: 'squashfs-tools', redhat: 'squashfs-tools', suse: 'squashfs' },
    why: 'to write squashfs images',
    when: (needs) => usesTool(needs, 'mksquashfs'),
  },
  {
    tools: ['zstd'],
    packages: same('zstd'),
    why: 'to compress layers of the container image',
    when: ({ types, compression }) =>
      compression === 'zstd' && formatsOf(types).some(({ container }) => container === true),
  },
  {
    tools: ['qemu-img'],
    packages: { debian: 'qemu-utils', redhat: 'qemu-img', suse: 'qemu-tools' },
    why: 'to convert the disk image',
    when: (needs) => usesTool(needs, 'qemu-img'),
  },
  {
    tools: ['losetup'],
    packages: { debian: 'mount', redhat: 'util-linux', suse: 'util-linux' },
    why: 'to work on the disk as a block device',
    when: ({ device, fsTypes }) => device === true || fsTypes.some(isMounted),
  },
  ...[
    { type: 'xfs', tool: 'mkfs.xfs', name: 'xfsprogs' },
    { type: 'btrfs', tool: 'mkfs.btrfs', name: 'btrfs-progs' },
  ].map(({ type, tool, name }) => ({
    tools: [tool],
    packages: { ...same(name), suse: name === 'btrfs-progs' ? 'btrfsprogs' : name },
    why: `to make the ${type} file system`,
    when: ({ fsTypes }: Needs) => fsTypes.includes(type),
  })),
  {
    tools: ['mke2fs'],
    packages: same('e2fsprogs'),
    why: 'to make the file system',
    when: (needs) => needs.fsTypes.some((type) => type.startsWith('ext')),
  },
];

/** The needs of the engine for such a build. Pure. */
export function engineRequirements(needs: Needs): readonly Requirement[] {
  return ROWS.filter((row) => row.when(needs));
}

/**
 * The needs that an element declares in its `host-tools.yaml`: a list of
 * `{tool: NAME | [NAME, ...], why: TEXT, debian: PACKAGE, redhat: PACKAGE, suse: PACKAGE}`.
 */
export function parseHostTools(text: string, file: string): readonly Requirement[] {
  const problems = new Problems();
  const top = parseLocated(text, file, problems);
  problems.throwIfAny();
  if (top?.kind !== 'list') {
    throw configError('Cannot read host tools: the file must hold a list', {
      at: top?.at ?? { file, line: 1 },
    });
  }
  const rows = top.items.map((item) => readHostTool(item, { file, problems }));
  problems.throwIfAny();
  return rows;
}

function readHostTool(
  item: Located,
  { file, problems }: { readonly file: string; readonly problems: Problems },
): Requirement {
  const entries = item.kind === 'map' ? item.entries : new Map<string, Entry>();
  const tools = textsOf(entries.get('tool')?.value);
  if (tools.length === 0) {
    problems.add('Cannot read host tools: each must be a map that names its tool', item.at);
  }
  const [why = `to run the hooks of ${path.basename(path.dirname(file))}`] = textsOf(
    entries.get('why')?.value,
  );
  return { tools, why, packages: packagesOf(entries) };
}

/** A text, or a list of texts. */
function textsOf(value: Located | undefined): readonly string[] {
  if (value?.kind === 'text') {
    return [value.text];
  }
  return value?.kind === 'list' ? value.items.flatMap(textsOf) : [];
}

function packagesOf(entries: ReadonlyMap<string, Entry>): Requirement['packages'] {
  const families = ['debian', 'redhat', 'suse'] as const;
  return Object.fromEntries(
    families.flatMap((family) =>
      textsOf(entries.get(family)?.value)
        .slice(0, 1)
        .map((name) => [family, name]),
    ),
  );
}

/** The needs of elements, read from their folders. */
export async function elementRequirements(
  elements: readonly { readonly path: string }[],
): Promise<readonly Requirement[]> {
  return elements.flatMap((element) => {
    const file = path.join(element.path, 'host-tools.yaml');
    const text = textOrEmpty(file);
    return text === '' ? [] : parseHostTools(text, file);
  });
}

/** Those of `requirements` that the host does not meet. */
export async function missingRequirements(
  requirements: readonly Requirement[],
  searchPath: string,
): Promise<readonly Requirement[]> {
  return requirements.filter(({ tools }) =>
    tools.every((tool) => findTool(tool, searchPath) === undefined),
  );
}

/** The one command that installs what is missing, as root. Undefined where we know no package. Pure. */
export function installCommand(
  missing: readonly Requirement[],
  family: PackageFamily | undefined,
): string | undefined {
  if (family === undefined) {
    return undefined;
  }
  const packages = missing.map((one) => one.packages[family]).filter((name) => name !== undefined);
  if (packages.length === 0) {
    return undefined;
  }
  const manager = {
    debian: 'apt-get install -y',
    redhat: 'dnf install -y',
    suse: 'zypper install -y',
  };
  return `${manager[family]} ${[...new Set(packages)].sort().join(' ')}`;
}

/** @throws Failed `host` that names every missing tool and the command that installs them. */
export function assertNothingMissing(
  missing: readonly Requirement[],
  family: PackageFamily | undefined,
): void {
  if (missing.length === 0) {
    return;
  }
  const named = missing.map((one) => `${one.tools.join(' or ')} (${one.why})`);
  const command = installCommand(missing, family);
  throw hostError(
    `The host lacks ${named.join(', ')}`,
    command === undefined ? 'Install what is missing' : `As root: ${command}`,
  );
}
