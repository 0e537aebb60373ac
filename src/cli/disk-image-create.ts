/** The command `disk-image-create`. */
import { parseImageCommandLine } from './image-command-line.ts';
import { runCommand } from './main.ts';
import { packageVersion } from './package-paths.ts';

const main = async (): Promise<number> => {
  const argv = process.argv.slice(2);
  const line = parseImageCommandLine(argv, packageVersion());
  if (line === undefined) {
    return 0;
  }
  const [{ planBuild, wantsBase }, { hostFacts, ownEnvironment }] = await Promise.all([
    import('../plan/plan-build.ts'),
    import('./host-facts.ts'),
  ]);
  const { elements, options } = line;
  const environment = ownEnvironment();
  const plan = planBuild({ elements, options, argv, environment, host: hostFacts() });
  if (plan.cache.explain) {
    const { explain } = await import('./explain.ts');
    return explain(plan, { skipBase: !wantsBase(options) });
  }
  const { buildImage } = await import('./build-image.ts');
  return buildImage({
    plan,
    skipBase: !wantsBase(options),
    ...(typeof options.events === 'string' ? { eventsFile: options.events } : {}),
  });
};

void runCommand(main, { outlivesReaders: true });
