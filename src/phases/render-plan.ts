/** A prepared build as data and as text, for people and scripts that want to know before it runs. */
import { renderDiskPlan } from '../disk/layout.ts';
import type { HookTree } from '../elements/hook-tree.ts';
import { renderReference } from '../plan/container-reference.ts';
import type { ContainerSettings } from '../plan/container-settings.ts';
import { fileName, formatsOf } from '../plan/formats.ts';
import { productFormat, RAMDISK_PRODUCTS } from '../plan/products.ts';
import { selectEnvironmentFiles } from '../run-parts/environment-files.ts';
import { containerSettings, wantsContainer } from './container-stage.ts';
import { plannedEntries, plannedHooks } from './planned-hooks.ts';
import { fixedLayout, type Preparation, writesDisk } from './prepare.ts';
import type { Requirement } from './requirements.ts';
import { PHASES } from './table.ts';

/** A hook, or a file of environment.d, with who brings it. */
export interface PlannedFile {
  readonly name: string;
  readonly element: string;
  readonly file: string;
}

/** `dibkit plan --json` prints this; the shape only grows. */
export interface BuildOutline {
  readonly version: string;
  readonly arch: string;
  /** Dependencies first. */
  readonly elements: readonly { readonly name: string; readonly path: string }[];
  /** In the order in which they are sourced before each phase. */
  readonly environment: readonly PlannedFile[];
  readonly phases: readonly {
    readonly name: string;
    readonly where: 'host' | 'target';
    readonly hooks: readonly PlannedFile[];
  }[];
  readonly packages: readonly string[];
  /** Null when no disk is written. The layout is known when the size was given. */
  readonly disk: { readonly source: string; readonly layout?: readonly string[] } | null;
  readonly images: readonly string[];
  /** How a container of the image is run; null when no image of a container is written. */
  readonly container: (ContainerSettings & { readonly name: string }) | null;
  readonly needs: readonly (Requirement & { readonly met: boolean })[];
}

/** The outline of a prepared build. */
export function outlineOf(preparation: Preparation): BuildOutline {
  const { build, tree, ignored, requirements, missing } = preparation;
  const hooks = plannedHooks(tree, ignored);
  const { plan } = build;
  return {
    version: plan.version,
    arch: plan.arch,
    elements: build.elements.map(({ name, path }) => ({ name, path })),
    environment: plannedFiles(
      tree,
      'environment.d',
      selectEnvironmentFiles(plannedEntries(tree, ignored, 'environment.d')),
    ),
    phases: PHASES.map(({ name, where }) => ({
      name,
      where,
      hooks: plannedFiles(tree, `${name}.d`, hooks.get(name) ?? []),
    })),
    packages: plan.packages,
    disk: writesDisk(plan, build.elements) ? diskOf(preparation) : null,
    images: [
      ...(plan.ramdisk === undefined ? [] : RAMDISK_PRODUCTS.map(productFormat)),
      ...formatsOf(plan.image.types),
    ].map((format) => fileName(plan.image.name, format)),
    container: wantsContainer(plan)
      ? { name: renderReference(plan.container.name), ...containerSettings(build) }
      : null,
    needs: requirements.map(({ tools, packages, why }) => ({
      tools,
      packages,
      why,
      met: !missing.some((one) => one.tools.join() === tools.join()),
    })),
  };
}

function plannedFiles(
  tree: HookTree,
  directory: string,
  names: readonly string[],
): readonly PlannedFile[] {
  return names.map((name) => ({
    name,
    element: tree.elementOf(directory, name) ?? '',
    file: tree.sourceOf(directory, name) ?? '',
  }));
}

function diskOf({ build, graph }: Preparation): NonNullable<BuildOutline['disk']> {
  const { source } = build.diskConfig;
  const layout = fixedLayout(build, graph);
  return layout === undefined ? { source } : { source, layout: renderDiskPlan(layout) };
}

/** The outline for a person. */
export function renderOutline(outline: BuildOutline): readonly string[] {
  return [
    `dibkit ${outline.version}, image for ${outline.arch}`,
    '',
    'Elements, dependencies first:',
    ...outline.elements.map(({ name, path }) => `  ${name}  ${path}`),
    '',
    'Sourced before every phase:',
    ...fileLines(outline.environment, '  '),
    '',
    'Phases:',
    ...outline.phases.flatMap(({ name, where, hooks }) => [
      `  ${name} (${where === 'host' ? 'on the host' : 'in the target'})`,
      ...fileLines(hooks, '    '),
    ]),
    '',
    ...(outline.packages.length > 0 ? [`Packages: ${outline.packages.join(' ')}`] : []),
    ...diskLines(outline.disk),
    `Images: ${outline.images.join(', ')}`,
    ...containerLines(outline.container),
    ...outline.needs
      .filter((need) => !need.met)
      .map((need) => `The host lacks ${need.tools.join(' or ')} (${need.why}): see dibkit doctor`),
  ];
}

function fileLines(files: readonly PlannedFile[], indent: string): readonly string[] {
  const width = Math.max(0, ...files.map(({ name }) => name.length));
  return files.map(({ name, element }) => `${indent}${name.padEnd(width)}  ${element}`);
}

function diskLines(disk: BuildOutline['disk']): readonly string[] {
  if (disk === null) {
    return ['Disk: none'];
  }
  const layout = disk.layout ?? ['its size is computed from the tree; --image-size fixes it'];
  return [`Disk: ${disk.source}`, ...layout.map((line) => `  ${line}`)];
}

function containerLines(container: BuildOutline['container']): readonly string[] {
  if (container === null) {
    return [];
  }
  const { name, ...settings } = container;
  return [
    `Container: ${name}`,
    ...Object.entries(settings).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
  ];
}
