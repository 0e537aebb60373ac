/**
 * Break points: a shell, or `break_cmd`, before or after a phase or a hook, or where one failed.
 *
 * Names and `break_outside_target` are compat (lib/common-functions, `check_break`). Better than
 * upstream: hooks, `break_cmd` and `after-error` in every phase, and without a terminal we say how to
 * get one instead of hanging.
 */
import { chmod, copyFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { Failed, usageError } from '../events/failure.ts';
import type { BreakPlan } from '../plan/build-plan.ts';
import type { Stop, StopDecision, Stops } from '../run-parts/stops.ts';
import { runTool } from '../sandbox/process.ts';
import { AFTER_ERROR, hookPoint, phasePoint } from './break-names.ts';
import { type BreakOutcome, runBreak, type Terminal } from './break-shell.ts';
import type { BreakScene } from './break-text.ts';
import { type BuildPaths, TARGET_HOOKS } from './environment.ts';
import type { RunRecorder } from './run-record.ts';
import type { Phase } from './table.ts';

export interface Breakers {
  readonly plan: BreakPlan;
  readonly terminal: Terminal;
}

/** Where a phase can be stopped. */
export interface BreakSite {
  readonly phase: Phase;
  readonly paths: BuildPaths;
  readonly tree: HookTree;
  /** Of the phase, before `environment.d`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly recorder: RunRecorder;
  /** Told of each stop when it begins: how long it takes is up to a person. */
  readonly onStop: () => void;
}

/** Who could answer at a break point. */
export interface Audience {
  readonly terminal: boolean;
  /** Why nobody is asked though there is a terminal. */
  readonly ciVariable?: string;
}

/** Refuses, before anything is built, break points that could only end the build. @throws Failed `usage`. */
export function assertCanBreak(
  plan: BreakPlan,
  { terminal, ciVariable }: Audience,
  command: string,
): void {
  const points = plan.points.filter((point) => point !== AFTER_ERROR);
  if (points.length === 0 || terminal || plan.command !== undefined) {
    return;
  }
  const again = `break=${plan.points.join(',')} ${command}`;
  throw usageError(
    ciVariable === undefined
      ? `Cannot stop at ${points.join(' and ')}: there is no terminal for a shell`
      : `Cannot stop at ${points.join(' and ')}: ${ciVariable} says that this is a job, where nobody answers`,
    [
      ...(ciVariable === undefined
        ? ['Standard input and output must be a terminal: run this in one', `  ${again}`]
        : ['If somebody is there:', `  env -u ${ciVariable} ${again}`]),
      "Or give a command instead of the shell: break_cmd='env'",
    ].join('\n'),
  );
}

/** The break points of one phase that runs. */
export class PhaseBreaks {
  readonly #site: BreakSite;
  readonly #breakers: Breakers;
  readonly #context: Context;
  /** Whether somebody was in the build. */
  touched = false;

  constructor(site: BreakSite, breakers: Breakers, context: Context) {
    this.#site = site;
    this.#breakers = breakers;
    this.#context = context;
  }

  /**
   * Stops before or after the phase if the user asked for it; resolves when the build may go on. `hooks`
   * tells those of the phase.
   */
  async atPhase(when: 'before' | 'after', hooks: () => Promise<readonly string[]>): Promise<void> {
    const { phase, cwd, env } = this.#site;
    const point = phasePoint(when, phase.name);
    if (this.#breakers.plan.points.includes(point)) {
      const coming = when === 'before' ? await hooks() : [];
      const outcome = await this.#run(point, { env, cwd, umask: '0022' }, { coming });
      this.#assertGoingOn(point, outcome);
    }
  }

  /** For the run of the phase's hooks. */
  get stops(): Stops {
    const { points } = this.#breakers.plan;
    return {
      wants: (when, directory, name) =>
        points.includes(when === 'error' ? AFTER_ERROR : hookPoint(when, directory, name)),
      at: (stop) => this.#atHook(stop),
    };
  }

  async #atHook(stop: Stop): Promise<StopDecision> {
    const point =
      stop.when === 'error' ? AFTER_ERROR : hookPoint(stop.when, stop.directory, stop.name);
    if (stop.when === 'error' && !this.#canStop()) {
      const text = `Cannot stop at ${point}: there is no terminal for a shell`;
      this.#context.emit({ kind: 'message', level: 'warning', text });
      return 'go-on';
    }
    const { env, cwd } = this.#site;
    const outcome = await this.#run(point, stop.state ?? { env, cwd, umask: '0022' }, { stop });
    if (stop.when !== 'error') {
      this.#assertGoingOn(point, outcome);
    }
    const runsIt = outcome.decision === 'go-on' && stop.when === 'before';
    if (runsIt || outcome.decision === 'retry') {
      await this.#refresh(stop);
    }
    if (outcome.decision === 'skip') {
      const text = `Left out '${stop.directory}/${stop.name}', as the debug shell was told`;
      this.#context.emit({ kind: 'message', level: 'warning', text });
    }
    // After an error the failure ends the build, whatever became of the shell (compat).
    return outcome.decision === 'abort' ? 'go-on' : outcome.decision;
  }

  #canStop(): boolean {
    const { plan, terminal } = this.#breakers;
    return terminal.available || plan.command !== undefined;
  }

  async #run(
    point: string,
    state: { env: Readonly<Record<string, string>>; cwd: string; umask: string },
    what: Pick<BreakScene, 'stop' | 'coming'>,
  ): Promise<BreakOutcome> {
    const { stop } = what;
    const { phase, paths, tree, recorder } = this.#site;
    const { terminal } = this.#breakers;
    const source = stop === undefined ? undefined : tree.sourceOf(stop.directory, stop.name);
    // Upstream's `break_outside_target` is for errors alone.
    const outsideTarget = this.#breakers.plan.outsideTarget && point === AFTER_ERROR;
    this.touched = true;
    this.#site.onStop();
    await recorder.update({ stopped: point });
    const outcome = await runBreak({
      scene: {
        point,
        phase,
        buildDir: paths.buildDir,
        targetRoot: paths.targetRoot,
        ...what,
        ...(source === undefined ? {} : { source }),
      },
      plan: { ...this.#breakers.plan, outsideTarget },
      terminal,
      context: this.#context,
      hooksDir: paths.hooksDir,
      ...state,
    });
    await recorder.update({ stopped: undefined });
    return outcome;
  }

  #assertGoingOn(point: string, { decision, status }: BreakOutcome): void {
    if (decision !== 'abort' && status === 0) {
      return;
    }
    const command = this.#breakers.plan.command;
    const ended = `ended the build at ${point}`;
    throw new Failed({
      kind: 'tool',
      message:
        decision === 'abort'
          ? `Somebody ${ended}`
          : `The command '${command}' ${ended}: status ${status}`,
      argv: [],
      status: status === 0 ? 1 : status,
      lastLines: [],
    });
  }

  /** A hook that was mended in its element since it was copied is copied again. */
  async #refresh({ directory, name }: Stop): Promise<void> {
    const source = this.#site.tree.sourceOf(directory, name);
    if (source === undefined) {
      return;
    }
    const { emit } = this.#context;
    const hook = `'${directory}/${name}'`;
    try {
      if (await this.#takeAgain(source, path.join(directory, name))) {
        const text = `Took ${hook} as its element has it now`;
        emit({ kind: 'message', level: 'info', text });
      }
    } catch (error) {
      const text = `Cannot take ${hook} as its element has it now: ${(error as Error).message}`;
      emit({ kind: 'message', level: 'warning', text });
    }
  }

  /** False when the element still has what was copied. */
  async #takeAgain(source: string, name: string): Promise<boolean> {
    const { hooksDir, targetRoot } = this.#site.paths;
    const copy = path.join(hooksDir, name);
    const [theirs, ours] = await Promise.all([stat(source), stat(copy)]);
    // The time of the change, too: a file that was moved there, or put back, is as old as it was.
    if (Math.max(theirs.mtimeMs, theirs.ctimeMs) <= ours.mtimeMs) {
      return false;
    }
    await copyFile(source, copy);
    await chmod(copy, theirs.mode & 0o7777);
    if (this.#site.phase.where === 'target') {
      await this.#showAgain(copy, path.join(targetRoot, TARGET_HOOKS, name));
    }
    return true;
  }

  /** Hooks in the target may see a copy of the tree, made so that it cannot be changed. */
  async #showAgain(file: string, seen: string): Promise<void> {
    const [ours, theirs] = await Promise.all([stat(file), stat(seen)]);
    if (ours.dev !== theirs.dev || ours.ino !== theirs.ino) {
      // Where the kernel has no immutable files in memory there is nothing to undo.
      await runTool(['chattr', '-i', seen], this.#context, { announce: false }).catch(() => {});
      await copyFile(file, seen);
      await chmod(seen, ours.mode & 0o7777);
    }
  }
}
