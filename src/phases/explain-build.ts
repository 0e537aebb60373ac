/**
 * What a build would reuse and what it would run, and why: the same look-ups as the build's, and nothing
 * is run but `environment.d` and `fingerprint.d`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { assembleHooks } from '../elements/assemble.ts';
import { elementsPathForHooks, elementVariables } from '../elements/element-variables.ts';
import type { Context, EventBody } from '../events/event.ts';
import { hostError } from '../events/failure.ts';
import { LayerChain } from '../layers/chain.ts';
import { digestOf } from '../layers/digest.ts';
import type { Explained } from '../layers/explain.ts';
import { markOfBuild } from '../layers/owner-mark.ts';
import { listEntries } from '../run-parts/list.ts';
import { selectHooks } from '../run-parts/select.ts';
import { chainRequest, layerSetup } from './build-tree.ts';
import { diskModeOf } from './disk-mode.ts';
import { type DiskStage, openDiskStage } from './disk-stage.ts';
import type { BuildPaths, DiskVariables, EnvironmentRequest } from './environment.ts';
import type { Fingerprint } from './fingerprints.ts';
import { openSourceDate } from './image-identity.ts';
import { askFingerprint, hooksOf } from './phase-hooks.ts';
import { PhaseLayers } from './phase-layers.ts';
import type { Preparation } from './prepare.ts';
import { FSTAB_INPUT, settle } from './settle.ts';
import { PHASES, type Phase } from './table.ts';

/** One entry per phase that has hooks, or per part of one, in order. */
export async function explainBuild(
  preparation: Preparation,
  resumed: readonly string[],
  context: Context,
): Promise<readonly Explained[]> {
  const { plan } = preparation.build;
  const buildDir = makeDirectory(path.resolve(plan.work.tmpDir));
  try {
    return await new Explainer(preparation, buildDir, context).explain(resumed);
  } finally {
    rmSync(buildDir, { recursive: true, force: true });
  }
}

/** @throws Failed `host` */
function makeDirectory(parent: string): string {
  try {
    return mkdtempSync(path.join(parent, 'dib_explain.'));
  } catch (error) {
    throw hostError(
      `Cannot make a work directory in '${parent}': ${(error as Error).message}`,
      'Set TMPDIR to a directory with some free space',
    );
  }
}

/** Asks for the fingerprints of several phases at once; disposed, what is still running is stopped. */
class Questions implements AsyncDisposable {
  readonly #environment: EnvironmentRequest;
  readonly #context: Context;
  readonly #stop = new AbortController();
  readonly #asked: Promise<Fingerprint>[] = [];

  constructor(environment: EnvironmentRequest, context: Context) {
    this.#environment = environment;
    const signal = AbortSignal.any([context.signal, this.#stop.signal]);
    this.#context = { ...context, signal };
  }

  ask(phase: Phase): Promise<Fingerprint> {
    const answer = askFingerprint(phase, this.#environment, this.#context);
    // Whoever waits for it hears of a failure.
    answer.catch(() => {});
    this.#asked.push(answer);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    // Also those that nobody waits for, because the phase before has to run.
    await Promise.allSettled(this.#asked);
  }
}

const ON_DISK = PHASES.filter(({ stage }) => stage === 'disk');

class Explainer {
  readonly #preparation: Preparation;
  readonly #paths: BuildPaths;
  readonly #context: Context;
  readonly #found: Explained[] = [];
  #layers: PhaseLayers | undefined;

  constructor(preparation: Preparation, buildDir: string, context: Context) {
    this.#preparation = preparation;
    this.#context = { ...context, emit: (event) => this.#note(event) };
    this.#paths = {
      buildDir,
      imageDir: path.join(buildDir, 'image'),
      hooksDir: path.join(buildDir, 'hooks'),
      targetRoot: path.join(buildDir, 'mnt'),
    };
  }

  async explain(resumed: readonly string[]): Promise<readonly Explained[]> {
    const { build, tree, graph } = this.#preparation;
    if (build.plan.cache.off) {
      await assembleHooks(tree, this.#paths.hooksDir);
      await this.#rest(PHASES, '--no-cache (DIB_NO_LAYERS) uses no layers');
      return this.#found;
    }
    const mark = markOfBuild(this.#context);
    mkdirSync(this.#paths.targetRoot);
    await assembleHooks(tree, this.#paths.hooksDir);
    openSourceDate(build.plan, this.#paths.hooksDir);
    const stage: DiskStage = { build, graph, paths: this.#paths };
    const variables = openDiskStage(stage);
    const of = { build: '', resumed, mark: await mark };
    const chain = LayerChain.dry(chainRequest(build, this.#paths, of));
    if (!(await this.#look(chain, 'root', { disk: variables, engine: {} }))) {
      return this.#found;
    }
    const size = await chain.knownSize();
    if (size === undefined) {
      await this.#rest(ON_DISK, 'the size of the tree has not been measured yet');
      return this.#found;
    }
    if ((await diskModeOf(build.plan, tree)).kind === 'device') {
      await this.#rest(ON_DISK, 'hooks work on the disk itself');
      return this.#found;
    }
    const settled = await settle(stage, tree, { size, device: false });
    const { disk } = settled;
    const engine: Record<string, string> =
      disk === undefined ? {} : { [FSTAB_INPUT]: digestOf(disk.fstab) };
    const settledDisk = { ...variables, settled: settled.variables };
    await this.#look(chain, 'disk', { disk: settledDisk, engine });
    return this.#found;
  }

  /** Reads every file of the elements. */
  #open(chain: LayerChain): PhaseLayers {
    const { build, tree } = this.#preparation;
    this.#layers ??= new PhaseLayers({ ...layerSetup(build, { tree, paths: this.#paths }), chain });
    return this.#layers;
  }

  /** Looks the phases of a stage up; false once one has to run. */
  async #look(
    chain: LayerChain,
    stage: Phase['stage'],
    input: { readonly disk: DiskVariables; readonly engine: Readonly<Record<string, string>> },
  ): Promise<boolean> {
    const { plan, elements } = this.#preparation.build;
    const paths = this.#paths;
    const environment = {
      plan,
      disk: input.disk,
      paths,
      elementVariables: elementVariables(elements),
      elementsPath: elementsPathForHooks(plan.elementsPath, elements),
    };
    let { engine } = input;
    await using questions = new Questions(environment, this.#context);
    const phases = await Promise.all(
      PHASES.filter((one) => one.stage === stage).map(async (phase) => {
        const hooks = await hooksOf(phase, environment);
        return { phase, hooks, ...(hooks.length > 0 ? { asked: questions.ask(phase) } : {}) };
      }),
    );
    // While the shells of `fingerprint.d` run.
    const layers = this.#open(chain);
    for (const { phase, hooks, ...asked } of phases) {
      const before = chain.keys.length;
      const entry = { phase, hooks, environment, engine, ...asked };
      if ((await layers.enter(entry, this.#context)) < hooks.length) {
        await this.#rest(PHASES.slice(PHASES.indexOf(phase) + 1), 'what comes before it is new');
        return false;
      }
      engine = chain.keys.length > before ? {} : engine;
    }
    return true;
  }

  /** Phases of which nothing has to be looked up: they run. */
  async #rest(phases: readonly Phase[], reason: string): Promise<void> {
    for (const phase of phases) {
      const listed = listEntries(path.join(this.#paths.hooksDir, `${phase.name}.d`));
      const hooks = selectHooks(listed).run;
      if (hooks.length > 0) {
        this.#found.push({ phase: phase.name, hooks, outcome: 'run', reasons: [reason] });
      }
    }
  }

  #note(event: EventBody): void {
    if (event.kind === 'layer' && event.outcome !== 'kept') {
      const { phase, hooks, outcome, reasons, key } = event;
      this.#found.push({ phase, hooks, outcome, reasons, ...(key === undefined ? {} : { key }) });
    }
  }
}
