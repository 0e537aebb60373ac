/** `--explain`: what a build would reuse, and what changed for the rest. Builds nothing, needs no root. */
import type { Context, EventBody } from '../events/event.ts';
import { renderExplained } from '../layers/explain.ts';
import { failedBuild } from '../layers/resume.ts';
import { explainBuild } from '../phases/explain-build.ts';
import { prepareBuild, whichBuild } from '../phases/prepare.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { neededPrivilege } from '../sandbox/user-namespace.ts';
import { resumeText, storeOf } from './build-cache.ts';
import { toolEnvironment } from './host-facts.ts';
import { withStopSignal } from './stop-signal.ts';

/** Prints one line per phase, or per part of one. @throws Failed */
export async function explain(
  plan: BuildPlan,
  options: { readonly skipBase: boolean },
): Promise<number> {
  const emit = (event: EventBody): void => {
    if (event.kind === 'output' || (event.kind === 'message' && event.level === 'warning')) {
      process.stderr.write(`${event.kind === 'output' ? event.line : `WARNING: ${event.text}`}\n`);
    }
  };
  const how = { ...options, privilege: neededPrivilege() };
  const preparation = await prepareBuild(plan, how, emit);
  const { build } = preparation;
  const store = storeOf(plan);
  if (!plan.cache.off) {
    await store.assertReadable();
  }
  const failed = plan.cache.resume ? await failedBuild(store, whichBuild(build)) : undefined;
  if (plan.cache.resume) {
    process.stderr.write(`${resumeText(plan.image.name, failed)}\n`);
  }
  const phases = await withStopSignal((signal) => {
    const environment = toolEnvironment(toolPath(plan.environment.PATH));
    const context: Context = { emit, signal, toolEnvironment: environment };
    // A shell that we have stopped has failed: why says the signal.
    return explainBuild(preparation, failed?.keys ?? [], context).finally(() =>
      signal.throwIfAborted(),
    );
  });
  process.stdout.write(`${renderExplained(phases).join('\n')}\n`);
  return 0;
}
