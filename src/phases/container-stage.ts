/** The container image of a build: what is in it, and where it goes beside its file. */
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import type { TreeLayers } from '../layers/finished.ts';
import type { ContainerImage, LayerSource } from '../output/container-image.ts';
import { loadIntoDocker } from '../output/docker-load.ts';
import { membersOf } from '../output/layer-members.ts';
import { readUppers } from '../output/read-uppers.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { platformOf } from '../plan/container-platform.ts';
import { renderReference } from '../plan/container-reference.ts';
import { type ContainerSettings, mergeSettings } from '../plan/container-settings.ts';
import { fileName, formatsOf } from '../plan/formats.ts';
import { unknownUser } from './container-user.ts';
import type { PreparedBuild } from './prepare.ts';
import type { PhaseName } from './table.ts';

/** Whether a format asks for the image of a container. */
export function wantsContainer(plan: BuildPlan): boolean {
  return formatsOf(plan.image.types).some(({ container }) => container === true);
}

/** What elements say, and over it what the user says. */
export function containerSettings(build: PreparedBuild): ContainerSettings {
  return mergeSettings(build.container, build.plan.container.settings);
}

/** The finished tree that the image is made of. */
export interface ContainerTree {
  readonly directory: string;
  /** Undefined where the tree was not built on layers. */
  readonly parts: TreeLayers | undefined;
  readonly hasDisk: boolean;
  readonly epoch: number;
}

/** What whoever starts a container brings along; in lower layers it would be the builder's. */
const RUNTIMES_OWN = ['./dev/*', './etc/resolv.conf', './etc/resolv.conf.ORIG'];

/** The image of the finished tree. Our fstab is the disk's. Warns of a user whom the tree does not know. */
export async function containerImageOf(
  build: PreparedBuild,
  tree: ContainerTree,
  context: Context,
): Promise<ContainerImage> {
  const { plan } = build;
  const { name, compression } = plan.container;
  const settings = containerSettings(build);
  const unknown = await unknownUser(tree.directory, settings.user ?? '');
  if (unknown !== undefined) {
    warn(`${unknown}: a container of it will not start`, context);
  }
  return {
    name,
    settings,
    platform: platformOf(plan.arch),
    ...(compression === undefined ? {} : { compression }),
    epoch: tree.epoch,
    layers: await layersOf(plan, tree, context),
    leaveOut: [...RUNTIMES_OWN, ...(tree.hasDisk ? ['./etc/fstab'] : [])],
  };
}

/** What each phase has added, if anything, and last what was not kept; else the whole tree as the only layer. */
async function layersOf(
  plan: BuildPlan,
  tree: ContainerTree,
  context: Context,
): Promise<readonly LayerSource[]> {
  const whole = {
    from: tree.directory,
    createdBy: `disk-image-create ${plan.requested.join(' ')}`,
  };
  if (plan.container.squash || tree.parts === undefined) {
    return [whole];
  }
  const steps = stepsOf(tree.parts);
  const directories = steps.flatMap((step) => step.directories);
  const uppers = await readUppers(directories, context);
  const members = membersOf(
    steps.map(({ directories: own, cleans }) => ({
      uppers: uppers.filter(({ directory }) => own.includes(directory)),
      cleans,
    })),
  );
  const filled = steps.flatMap(({ createdBy }, index): readonly LayerSource[] => {
    const from = members[index];
    // The top is in each of them.
    return from === undefined || from.members.length <= 1 ? [] : [{ from, createdBy }];
  });
  return filled.length === 0 ? [whole] : filled;
}

/**
 * Their hooks take out of the tree what building has left there: caches and machine-id (finalise), logs, temporary files,
 * days in /etc/shadow (cleanup).
 */
const CLEANING: readonly string[] = ['finalise', 'cleanup'] satisfies PhaseName[];

interface Step {
  readonly createdBy: string;
  /** Lowest first. */
  readonly directories: readonly string[];
  /** As in `PhaseUppers`. */
  readonly cleans: boolean;
}

/** Where a phase was cut depends on how long its hooks took; an image does not. */
function stepsOf({ layers, top }: TreeLayers): readonly Step[] {
  const phases = [...new Set(layers.map(({ phase }) => phase))];
  return [
    ...phases.map((phase) => ({
      createdBy: `${phase}.d`,
      directories: layers.filter((layer) => layer.phase === phase).map((layer) => layer.directory),
      cleans: CLEANING.includes(phase),
    })),
    ...(top === undefined
      ? []
      : [{ createdBy: 'what was not kept as a layer', directories: [top], cleans: false }]),
  ];
}

/** `--docker-target`: gives the published archive to a Docker that runs. */
export async function loadContainer({ plan }: PreparedBuild, context: Context): Promise<void> {
  const [format] = formatsOf(plan.image.types).filter(({ type }) => type === 'docker');
  if (!plan.container.load) {
    return;
  }
  if (format === undefined) {
    warn('Nothing is loaded into Docker (--docker-target): that takes -t docker', context);
    return;
  }
  const name = renderReference(plan.container.name);
  const shown = fileName(plan.image.name, format);
  const detail = `Loading ${name} into Docker`;
  await inStep({ step: 'docker load', detail }, context, () =>
    loadIntoDocker({ shown, name, cwd: plan.image.cwd, environment: plan.environment }, context),
  );
}

function warn(text: string, context: Context): void {
  context.emit({ kind: 'message', level: 'warning', text });
}
