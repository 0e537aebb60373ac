/** The container image of a build: what is in it, and where it goes beside its file. */
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import type { ContainerImage } from '../output/container-image.ts';
import { loadIntoDocker } from '../output/docker-load.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { platformOf } from '../plan/container-platform.ts';
import { renderReference } from '../plan/container-reference.ts';
import { type ContainerSettings, mergeSettings } from '../plan/container-settings.ts';
import { fileName, formatsOf } from '../plan/formats.ts';
import type { PreparedBuild } from './prepare.ts';

/** Whether a format asks for the image of a container. */
export function wantsContainer(plan: BuildPlan): boolean {
  return formatsOf(plan.image.types).some(({ container }) => container === true);
}

/** What elements say, and over it what the user says. */
export function containerSettings(build: PreparedBuild): ContainerSettings {
  return mergeSettings(build.container, build.plan.container.settings);
}

/** The image of the finished tree, in one layer. */
export function containerImageOf(
  build: PreparedBuild,
  tree: { readonly directory: string; readonly hasDisk: boolean; readonly epoch: number },
): ContainerImage {
  const { plan } = build;
  const { name, compression } = plan.container;
  return {
    name,
    settings: containerSettings(build),
    platform: platformOf(plan.arch),
    ...(compression === undefined ? {} : { compression }),
    epoch: tree.epoch,
    layers: [
      {
        directory: tree.directory,
        createdBy: `disk-image-create ${plan.requested.join(' ')}`,
      },
    ],
    // Whoever starts the container fills /dev, and mounts what it needs: our fstab is the disk's.
    leaveOut: ['./dev/*', ...(tree.hasDisk ? ['./etc/fstab'] : [])],
  };
}

/** `--docker-target`: gives the published archive to a Docker that runs. */
export async function loadContainer({ plan }: PreparedBuild, context: Context): Promise<void> {
  const [format] = formatsOf(plan.image.types).filter(({ type }) => type === 'docker');
  if (format === undefined || !plan.container.load) {
    return;
  }
  const name = renderReference(plan.container.name);
  const shown = fileName(plan.image.name, format);
  const detail = `Loading ${name} into Docker`;
  await inStep({ step: 'docker load', detail }, context, () =>
    loadIntoDocker({ shown, name, cwd: plan.image.cwd, environment: plan.environment }, context),
  );
}
