/**
 * Everything about a build that can be known, and refused, before any work starts: elements, hooks,
 * the disk's configuration, what the host lacks.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { chooseDiskConfig, type DiskConfigChoice } from '../disk/choose-config.ts';
import { type DiskGraph, mountedFileSystem, parseDiskGraph } from '../disk/graph.ts';
import { type DiskPlan, planDisk } from '../disk/layout.ts';
import { bringsEfi, imageSizeKiB } from '../disk/sizes.ts';
import { readHookTree } from '../elements/assemble.ts';
import { type Catalogue, describeOverride, openCatalogue } from '../elements/catalogue.ts';
import { readContainerSettings } from '../elements/container-files.ts';
import { describeLoops } from '../elements/element-graph.ts';
import { findHookProblems, type IgnoredHook } from '../elements/hook-problems.ts';
import { describeOverwritten, type HookTree } from '../elements/hook-tree.ts';
import { implicitElements } from '../elements/implicit.ts';
import { type ResolvedElement, resolveElements } from '../elements/resolve.ts';
import type { Emit } from '../events/event.ts';
import { configError, hostError } from '../events/failure.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import type { ContainerSettings } from '../plan/container-settings.ts';
import { formatsOf } from '../plan/formats.ts';
import { identifiersFrom } from '../plan/identifiers.ts';
import { outputDirectory } from '../plan/output-directory.ts';
import { withElements } from '../plan/plan-build.ts';
import { hostPackageFamily, toolPath } from '../sandbox/host-tools.ts';
import type { Privilege } from '../sandbox/namespace.ts';
import { assertNamespace } from '../sandbox/user-namespace.ts';
import { resolveBreakPoints } from './break-names.ts';
import { assertCacheFrom } from './cache-from.ts';
import { diskModeOf } from './disk-mode.ts';
import { plannedHooks } from './planned-hooks.ts';
import { assertRamdiskElements, unmadeTypes } from './ramdisk.ts';
import {
  assertNothingMissing,
  elementRequirements,
  engineRequirements,
  missingRequirements,
  type Requirement,
} from './requirements.ts';
import { PHASES } from './table.ts';

/** A plan with what it names found; plain data, to be handed to the engine. */
export interface PreparedBuild {
  readonly plan: BuildPlan;
  /** Dependencies first. */
  readonly elements: readonly ResolvedElement[];
  readonly diskConfig: DiskConfigChoice;
  /** What elements say of containers; what the user says is in the plan. */
  readonly container: ContainerSettings;
}

/** What is worked out on the way and shown by `dibkit plan`. */
export interface Preparation {
  readonly build: PreparedBuild;
  readonly tree: HookTree;
  /** Files in the phases' directories that will not run. */
  readonly ignored: readonly IgnoredHook[];
  readonly graph: DiskGraph;
  readonly requirements: readonly Requirement[];
  readonly missing: readonly Requirement[];
}

/** Finds everything that the plan names. @throws Failed `config`, `usage`. */
export async function prepareBuild(
  typed: BuildPlan,
  options: { readonly skipBase: boolean; readonly privilege: Privilege },
  emit: Emit,
): Promise<Preparation> {
  assertCacheFrom(typed.cache.from);
  await assertManifest(typed);
  const catalogue = await openCatalogue(typed.elementsPath);
  assertRamdiskElements(typed, catalogue);
  const names = implicitElements(
    {
      requested: typed.requested,
      arch: typed.arch,
      skipBase: options.skipBase,
      ...(typed.ramdisk === undefined ? {} : { ramdisk: typed.ramdisk.elements }),
    },
    catalogue,
  );
  const chosen = withElements(typed, names);
  const elements = resolveElements(names, catalogue);
  sayOverrides(catalogue, elements, emit);
  const tree = await planTree(chosen, elements);
  const ignored = await findIgnored(chosen, tree);
  const points = resolveBreakPoints(chosen.breaks.points, plannedHooks(tree, ignored));
  const plan = { ...chosen, breaks: { ...chosen.breaks, points } };
  for (const text of [
    ...unmadeTypes(typed),
    ...describeLoops(elements),
    ...tree.overwritten.map(describeOverwritten),
    ...ignored.map(describeIgnored),
  ]) {
    emit({ kind: 'message', level: 'warning', text });
  }
  const diskConfig = await chooseDiskConfig({
    config: plan.disk.config,
    arch: plan.arch,
    elements,
  });
  const container = await readContainerSettings(elements, plan.environment);
  const graph = graphOf({ plan, diskConfig }, emit);
  const device = await assertDevicePossible({ plan, elements, tree }, options.privilege);
  if (device || writesDisk(plan, elements)) {
    assertMountPossible(graph, options.privilege);
    // Partitions that do not fit are refused now where the size is known now.
    fixedLayout({ plan, elements, diskConfig, container }, graph);
  }
  const requirements = await requirementsOf(
    { plan, elements, diskConfig, container },
    { graph, device, privilege: options.privilege },
  );
  const missing = await missingRequirements(requirements, toolPath(plan.environment.PATH));
  return {
    build: { plan, elements, diskConfig, container },
    tree,
    ignored,
    graph,
    requirements,
    missing,
  };
}

/** A manifest that is not there is told before anything is built. */
async function assertManifest({ image }: BuildPlan): Promise<void> {
  const { aciManifest: manifest, cwd, types } = image;
  if (manifest === undefined || !types.includes('aci')) {
    return;
  }
  const found = await stat(path.resolve(cwd, manifest)).catch(() => undefined);
  if (!found?.isFile()) {
    throw configError(`Cannot read '${manifest}' (ACI_MANIFEST): no such file`);
  }
}

/** Upstream warns of every override in the catalogue; only those of this build matter. */
function sayOverrides(
  catalogue: Catalogue,
  elements: readonly ResolvedElement[],
  emit: Emit,
): void {
  const used = new Set(elements.map((element) => element.name));
  for (const override of catalogue.overrides.filter(({ name }) => used.has(name))) {
    emit({ kind: 'message', level: 'warning', text: describeOverride(override) });
  }
}

/** The hook tree of the elements on top of the implicit one. @throws Failed `config`. */
export function planTree(plan: BuildPlan, elements: readonly ResolvedElement[]): Promise<HookTree> {
  return readHookTree([{ name: 'dibkit', path: plan.implicitElement }, ...elements]);
}

function findIgnored(plan: BuildPlan, tree: HookTree): Promise<readonly IgnoredHook[]> {
  return findHookProblems(tree, {
    directories: PHASES.map((phase) => `${phase.name}.d`),
    ignoreNonExecutable: plan.environment.DIB_IGNORE_NON_EXECUTABLE_HOOKS === '1',
  });
}

function describeIgnored({ dir, name, element, reason }: IgnoredHook): string {
  const why =
    reason === 'name'
      ? 'a name with other characters than letters, digits, - and _'
      : 'no execute bit';
  return `The file '${dir}/${name}' of the element '${element}' is no hook: it has ${why}`;
}

/** The graph of the chosen configuration. @throws Failed `config`. */
function graphOf(build: Pick<PreparedBuild, 'plan' | 'diskConfig'>, emit: Emit): DiskGraph {
  const { plan, diskConfig } = build;
  const { graph, warnings } = parseDiskGraph(diskConfig.text, diskConfig.source, {
    rootFsType: plan.disk.rootFsType,
    ...(plan.disk.rootLabel === undefined ? {} : { rootLabel: plan.disk.rootLabel }),
  });
  for (const text of warnings) {
    emit({ kind: 'message', level: 'warning', text });
  }
  return graph;
}

/** The layout where `--image-size` fixes it; only its sizes and places count. @throws Failed `config`. */
export function fixedLayout(build: PreparedBuild, graph: DiskGraph): DiskPlan | undefined {
  const { plan, elements } = build;
  if (plan.disk.imageSize === undefined) {
    return undefined;
  }
  const size = imageSizeKiB({
    usedKiB: 0,
    request: plan.disk,
    rootFsType: graph.root.type,
    efi: bringsEfi(elements),
  });
  return planDisk(graph, {
    imageSizeKiB: size.sizeKiB,
    rootMkfsOptions: size.mkfsOptions,
    identifiers: identifiersFrom('sizes and places do not depend on them'),
    ...(plan.disk.blockSize === undefined ? {} : { sectorBytes: plan.disk.blockSize }),
  });
}

/** Whether hooks get a block device. @throws Failed `host` when they need one and cannot. */
async function assertDevicePossible(
  build: Pick<PreparedBuild, 'plan' | 'elements'> & { readonly tree: HookTree },
  privilege: Privilege,
): Promise<boolean> {
  const mode = await diskModeOf(build.plan, build.tree);
  if (mode.kind === 'device' && privilege === 'user-namespace') {
    const who = mode.hook === undefined ? 'DIB_DISK_MODE' : `The hook '${mode.hook.path}'`;
    throw hostError(
      `${who} needs a block device, which an ordinary user cannot have`,
      'Build as root, or choose elements that do not work on a block device',
    );
  }
  return mode.kind === 'device';
}

/** @throws Failed `host` for a file system that an ordinary user cannot fill. */
function assertMountPossible(graph: DiskGraph, privilege: Privilege): void {
  const spec = mountedFileSystem(graph);
  if (spec !== undefined && privilege === 'user-namespace') {
    throw hostError(
      `File system "${spec.name}" of type ${spec.type} needs a loop device, which an ordinary user cannot have`,
      'Build as root, or use ext4, for example with FS_TYPE=ext4',
    );
  }
}

async function requirementsOf(
  { plan, elements }: PreparedBuild,
  {
    graph,
    device,
    privilege,
  }: { readonly graph: DiskGraph; readonly device: boolean; readonly privilege: Privilege },
): Promise<readonly Requirement[]> {
  const disk = device || writesDisk(plan, elements);
  const types = writesDisk(plan, elements) ? plan.image.types : treeTypes(plan);
  const fsTypes = disk ? graph.fileSystems.map((spec) => spec.type) : [];
  return [
    ...engineRequirements({
      types,
      disk,
      fsTypes,
      privilege,
      device,
      shells: plan.breaks.points.length > 0 && plan.breaks.command === undefined,
      ...(plan.container.compression === undefined
        ? {}
        : { compression: plan.container.compression }),
    }),
    ...(await elementRequirements(elements)),
  ];
}

/** Whether a disk is written: a format asks for one, and the marker `no-final-image` does not forbid it. */
export function writesDisk(
  plan: BuildPlan,
  elements: readonly { readonly name: string }[],
): boolean {
  const marked = elements.some((element) => element.name === 'no-final-image');
  return !marked && formatsOf(plan.image.types).some((format) => format.source === 'disk');
}

function treeTypes(plan: BuildPlan): readonly string[] {
  return formatsOf(plan.image.types)
    .filter((format) => format.source === 'tree')
    .map((format) => format.type);
}

/** Refuses a host that cannot run this build. @throws Failed `host`. */
export async function assertHostCan(
  preparation: Preparation,
  host: { readonly env: Readonly<Record<string, string>>; readonly privilege: Privilege },
): Promise<void> {
  assertNothingMissing(preparation.missing, await hostPackageFamily());
  if (host.privilege === 'user-namespace') {
    await assertNamespace(host.env);
  }
  const { tmpDir } = preparation.build.plan.work;
  const found = await stat(tmpDir).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw hostError(
      `Cannot work in '${tmpDir}': it is not a directory`,
      'Set TMPDIR to a directory with some free space',
    );
  }
}

/** What `--resume` knows a build by. */
export function whichBuild({ plan }: PreparedBuild): {
  readonly image: string;
  readonly elements: readonly string[];
} {
  const image = path.join(outputDirectory(plan), path.basename(plan.image.name));
  return { image, elements: plan.elements };
}
