/** One phase: its mounts, its break points, its hooks. */
import path from 'node:path';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import type { PauseRequest } from '../run-parts/request.ts';
import { runParts } from '../run-parts/run.ts';
import { exists, type Mount, mountAll, readyKernelFilesystems } from '../sandbox/mounts.ts';
import { PipeAhead } from '../sandbox/pipe.ts';
import { Scope } from '../sandbox/scope.ts';
import { hooksBeforeStop } from './break-names.ts';
import { type Breakers, PhaseBreaks } from './breakpoints.ts';
import {
  type EnvironmentRequest,
  failureNote,
  phaseEnvironment,
  TARGET_HOOKS,
} from './environment.ts';
import { withHint } from './failure-hints.ts';
import { hooksOf } from './phase-hooks.ts';
import type { PhaseLayers } from './phase-layers.ts';
import { RunRecorder, wasEntered } from './run-record.ts';
import type { Phase } from './table.ts';
import { showHooks } from './target-hooks.ts';

export interface PhaseRun {
  readonly phase: Phase;
  readonly environment: EnvironmentRequest;
  readonly tree: HookTree;
  readonly breakers: Breakers;
  /** Absent: nothing is reused or kept. */
  readonly layers: PhaseLayers | undefined;
  /** What the engine puts into the tree before the phase, for the phase's layer. */
  readonly engine: Readonly<Record<string, string>>;
  /** Puts it there; called once the tree is mounted. */
  readonly prepare: () => Promise<void>;
  /** Looks at the tree when the hooks have run. */
  readonly check: () => Promise<void>;
}

export interface PhaseResult {
  /**
   * A person, or `break_cmd`, was in the build here, or `dibkit enter` in this phase or before: what
   * the phase left need not be what its hooks make of its inputs.
   */
  readonly touched: boolean;
}

/** Runs a phase to its end, or finds that a layer has it. @throws Failed `hook`. */
export async function runPhase(run: PhaseRun, context: Context): Promise<PhaseResult> {
  context.signal.throwIfAborted();
  const { layers } = run;
  if (layers === undefined) {
    await run.prepare();
    return workInTree(run, 0, context);
  }
  const { phase, environment, engine } = run;
  const hooks = await hooksOf(phase, environment);
  const beforeStop = hooksBeforeStop(environment.plan.breaks.points, phase.name, hooks);
  await using pipes = new PipeAhead(context, environment.paths.buildDir);
  try {
    if (layers.chain.isNew && hooks.length > 0) {
      layers.chain.beginAhead(context);
      pipes.prepare();
    }
    const done = await layers.enter({ phase, hooks, environment, engine, beforeStop }, context);
    if (done === hooks.length && beforeStop === undefined) {
      await (layers.chain.keys.length === 0 ? run.check() : undefined);
      return { touched: false };
    }
    // Beside the mounts.
    pipes.prepare();
    await layers.begin(context);
    // A layer of the first hooks has it, and what they have made of it.
    await (done === 0 ? run.prepare() : undefined);
    return await workInTree({ ...run, pipes }, done, context);
  } finally {
    await layers.leave(context);
  }
}

interface TreeRun extends PhaseRun {
  /** What the hooks' shells print into. */
  readonly pipes?: PipeAhead;
}

/** Why nothing more is kept. */
const SOMEBODY = 'somebody was in it';

/** `done`: how many of the first hooks a layer has. */
async function workInTree(run: TreeRun, done: number, context: Context): Promise<PhaseResult> {
  const { phase, environment, layers } = run;
  const present = await exists(path.join(environment.paths.hooksDir, `${phase.name}.d`));
  await using view = new PhaseView(run, context);
  await view.open();
  const env = phaseEnvironment(environment, phase);
  const { cwd } = environment.plan.image;
  const recorder = new RunRecorder(phase, environment, env);
  await recorder.update({});
  const onStop = (): void => layers?.chain.breakOff(SOMEBODY);
  const site = { phase, paths: environment.paths, tree: run.tree, env, cwd, recorder, onStop };
  const hooksHere = (): Promise<readonly string[]> => hooksOf(phase, environment);
  const breaks = new PhaseBreaks(site, run.breakers, context);
  await breaks.atPhase('before', hooksHere);
  let kept = 0;
  let ran: readonly string[] = [];
  if (present) {
    ran = await runHooks(run, { breaks, recorder, skip: done, pause: pause() }, context);
  }
  await breaks.atPhase('after', hooksHere);
  await run.check();
  view.note();
  const touched = await wasTouched();
  if (layers !== undefined) {
    await layers.keepRest(ran.slice(kept), context);
  }
  await view.close();
  return { touched };

  async function wasTouched(): Promise<boolean> {
    const somebody = breaks.touched || (await wasEntered(environment.paths.buildDir));
    if (somebody) {
      layers?.chain.breakOff(SOMEBODY);
    }
    return somebody;
  }

  /** Ends a layer behind hooks that took long. */
  function pause(): PauseRequest | undefined {
    return layers === undefined
      ? undefined
      : {
          wanted: () => !breaks.touched && layers.wantsCut,
          during: async (sofar) => {
            view.note();
            await wasTouched();
            run.pipes?.prepare();
            const isKept = await layers.keep(sofar.slice(kept), context, view.mounts);
            kept = isKept ? sofar.length : kept;
            await view.goOn(isKept && layers.chain.mounted, async () =>
              isKept ? layers.cut(done + kept, context) : undefined,
            );
          },
        };
  }
}

/** What a phase finds mounted in the tree: the kernel's file systems, and in the target the hooks. */
class PhaseView implements AsyncDisposable {
  readonly #run: PhaseRun;
  readonly #context: Context;
  #scope: Scope | undefined;
  #first: readonly Mount[] = [];

  constructor(run: PhaseRun, context: Context) {
    this.#run = run;
    this.#context = context;
  }

  async open(): Promise<void> {
    const { phase, environment, layers } = this.#run;
    const { targetRoot, hooksDir } = environment.paths;
    const first = await missingFilesystems(phase, targetRoot, this.#context);
    const scope = new Scope();
    this.#scope = scope;
    const traced = layers?.traces === true;
    const copy = traced ? layers.copy : undefined;
    await Promise.all([
      traced ? layers.watch(hooksDir) : undefined,
      phase.where === 'target'
        ? showHooks(environment.paths, { scope, copy, first }, this.#context)
        : mountAll(first, this.#context),
    ]);
    this.#first = first;
  }

  /** For whoever mounts the tree anew: what has to be mounted in it. Undefined where that has to be made first. */
  get mounts(): readonly Mount[] | undefined {
    const { phase, environment, layers } = this.#run;
    const shown =
      phase.where === 'host'
        ? []
        : layers?.copy.mountsAt(path.join(environment.paths.targetRoot, TARGET_HOOKS));
    return shown && [...this.#first, ...shown];
  }

  /** Goes on in a tree that has been mounted anew, with `mounts`, or that `ready` sees to; both do more besides. */
  async goOn(isMounted: boolean, ready: () => Promise<void>): Promise<void> {
    if (isMounted) {
      await Promise.all([ready(), this.#renew()]);
      return;
    }
    await this.close();
    await ready();
    await this.open();
  }

  async #renew(): Promise<void> {
    const { phase, environment, layers } = this.#run;
    const { targetRoot, hooksDir } = environment.paths;
    const others = await missingFilesystems(phase, targetRoot, this.#context);
    await mountAll(others, this.#context);
    this.#first = [...this.#first, ...others];
    await layers?.watch(hooksDir);
  }

  /** Notes what was read, while it can still be seen. */
  note(): void {
    this.#run.layers?.note();
  }

  /** Takes away what a layer that was kept has not taken away yet. */
  async close(): Promise<void> {
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope?.[Symbol.asyncDispose]();
    this.#scope = undefined;
  }
}

/** `mounts` follow from the table: a phase that needs the kernel's file systems finds them there. */
async function missingFilesystems(
  phase: Phase,
  targetRoot: string,
  context: Context,
): Promise<readonly Mount[]> {
  return phase.kernelFilesystems && !(await exists(path.join(targetRoot, 'proc/self')))
    ? await readyKernelFilesystems(targetRoot, context)
    : [];
}

interface HookRun {
  readonly breaks: PhaseBreaks;
  readonly recorder: RunRecorder;
  readonly skip: number;
  readonly pause: PauseRequest | undefined;
}

/** Runs the phase's hooks, without the first `skip`; their names. @throws Failed `hook`. */
async function runHooks(
  run: TreeRun,
  { breaks, recorder, skip, pause }: HookRun,
  context: Context,
): Promise<readonly string[]> {
  const { phase, tree, environment, pipes } = run;
  const { hooksDir, targetRoot } = environment.paths;
  const directory = `${phase.name}.d`;
  const inTarget = phase.where === 'target';
  const outcome = await runParts(
    {
      phase: phase.name,
      dir: inTarget ? `${TARGET_HOOKS}/${directory}` : path.join(hooksDir, directory),
      listDir: path.join(hooksDir, directory),
      where: phase.where,
      launcher: inTarget ? ['chroot', targetRoot] : [],
      env: phaseEnvironment(environment, phase),
      cwd: environment.plan.image.cwd,
      workDir: environment.paths.buildDir,
      ...(pipes === undefined ? {} : { pipe: () => pipes.take() }),
      stdin: 'ignore',
      elementOf: (file, from) => tree.elementOf(from, file),
      sourceOf: (file, from) => tree.sourceOf(from, file),
      failureNote: failureNote(environment.paths, phase).seenHere,
      stops: breaks.stops,
      onShell: (pid) => void recorder.update(pid === undefined ? {} : { shell: pid }),
      skip,
      ...(run.layers === undefined ? {} : { onHook: run.layers.onHook }),
      ...(pause === undefined ? {} : { pause }),
    },
    context,
  );
  if (outcome.kind === 'interrupted') {
    context.signal.throwIfAborted();
  }
  if (outcome.kind === 'failed') {
    throw new Failed(withHint(outcome.failure));
  }
  return outcome.kind === 'ok' ? outcome.timings.map(({ hook }) => hook) : [];
}
