/** The commands `disk-image-create` and `ramdisk-image-create`: the same but for what comes out. */
import type { ImageCommand } from '../plan/options.ts';
import { parseImageCommandLine } from './image-command-line.ts';
import { endWithOutput, runCommand } from './main.ts';
import { packageVersion } from './package-paths.ts';

/** Runs the command on our own argv. */
export async function runImageCommand(command: ImageCommand): Promise<void> {
  await runCommand(() => build(command, process.argv.slice(2)), { outlivesReaders: true });
}

async function build(command: ImageCommand, argv: readonly string[]): Promise<number> {
  const line = parseImageCommandLine(argv, packageVersion(), command);
  if (line === undefined) {
    return 0;
  }
  const [{ planBuild, wantsBase }, { hostFacts, ownEnvironment }] = await Promise.all([
    import('../plan/plan-build.ts'),
    import('./host-facts.ts'),
  ]);
  const { elements, options } = line;
  const environment = ownEnvironment();
  const plan = planBuild({ command, elements, options, argv, environment, host: hostFacts() });
  if (plan.cache.explain) {
    endWithOutput();
    const { explain } = await import('./explain.ts');
    return explain(plan, { skipBase: !wantsBase(options) });
  }
  const { BuildSite } = await import('./engine-process.ts');
  await using site = new BuildSite(plan);
  const { buildImage } = await import('./build-image.ts');
  return await buildImage({
    plan,
    site,
    skipBase: !wantsBase(options),
    ...(typeof options.events === 'string' ? { eventsFile: options.events } : {}),
  });
}
