/** One phase: its mounts, its break points, its hooks. */
import { lstat, mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { HookTree } from '../elements/hook-tree.ts';
import type { Context } from '../events/event.ts';
import { configError, Failed } from '../events/failure.ts';
import { runParts } from '../run-parts/run.ts';
import { exists, mount, mountKernelFilesystems } from '../sandbox/mounts.ts';
import { runTool } from '../sandbox/process.ts';
import { Scope } from '../sandbox/scope.ts';
import { type Breakers, PhaseBreaks } from './breakpoints.ts';
import {
  type EnvironmentRequest,
  failureNote,
  phaseEnvironment,
  TARGET_HOOKS,
} from './environment.ts';
import { withHint } from './failure-hints.ts';
import { RunRecorder, wasEntered } from './run-record.ts';
import type { Phase } from './table.ts';

export interface PhaseRun {
  readonly phase: Phase;
  readonly environment: EnvironmentRequest;
  readonly tree: HookTree;
  readonly breakers: Breakers;
}

export interface PhaseResult {
  /**
   * A person, or `break_cmd`, was in the build here, or `dibkit enter` in this phase or before: what
   * the phase left need not be what its hooks make of its inputs.
   */
  readonly touched: boolean;
}

/** Runs a phase to its end. @throws Failed `hook`. */
export async function runPhase(run: PhaseRun, context: Context): Promise<PhaseResult> {
  context.signal.throwIfAborted();
  const { phase, environment } = run;
  const { targetRoot, hooksDir } = environment.paths;
  await ensureKernelFilesystems(phase, targetRoot, context);
  const directory = `${phase.name}.d`;
  const present = await exists(path.join(hooksDir, directory));
  await using scope = new Scope();
  if (phase.where === 'target') {
    await bindHooks(environment, scope, context);
  }
  const env = phaseEnvironment(environment, phase);
  const { cwd } = environment.plan.image;
  const recorder = new RunRecorder(phase, environment, env);
  await recorder.update({});
  const site = { phase, paths: environment.paths, tree: run.tree, env, cwd, recorder };
  const breaks = new PhaseBreaks(site, run.breakers, context);
  await breaks.atPhase('before');
  if (present) {
    await runHooks(run, { breaks, recorder }, context);
  }
  await breaks.atPhase('after');
  return { touched: breaks.touched || (await wasEntered(environment.paths.buildDir)) };
}

/** `mounts` follow from the table: a phase that needs the kernel's file systems finds them there. */
async function ensureKernelFilesystems(
  phase: Phase,
  targetRoot: string,
  context: Context,
): Promise<void> {
  if (phase.kernelFilesystems && !(await exists(path.join(targetRoot, 'proc/self')))) {
    await mountKernelFilesystems(targetRoot, context);
  }
}

/** The hook tree, read-only, at /tmp/in_target.d of the target while the phase runs (compat). */
async function bindHooks(
  environment: EnvironmentRequest,
  scope: Scope,
  context: Context,
): Promise<void> {
  const { targetRoot, hooksDir } = environment.paths;
  const tmp = path.join(targetRoot, 'tmp');
  const found = await lstat(tmp).catch(() => undefined);
  if (found === undefined) {
    await mkdir(tmp, { mode: 0o1777 });
  } else if (!found.isDirectory()) {
    throw configError("Cannot run hooks in the target: its '/tmp' is not a directory");
  }
  const target = path.join(targetRoot, TARGET_HOOKS);
  await mkdir(target, { mode: 0o755 });
  scope.defer(() => rmdir(target));
  await mount({ source: hooksDir, target, options: 'bind,ro' }, context);
  const unhindered = { ...context, signal: new AbortController().signal };
  scope.defer(async () => {
    await runTool(['umount', '--lazy', target], unhindered, { announce: false });
  });
}

async function runHooks(
  run: PhaseRun,
  watch: { readonly breaks: PhaseBreaks; readonly recorder: RunRecorder },
  context: Context,
): Promise<void> {
  const { phase, tree, environment } = run;
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
      stdin: 'ignore',
      elementOf: (file, from) => tree.elementOf(from, file),
      sourceOf: (file, from) => tree.sourceOf(from, file),
      failureNote: failureNote(environment.paths, phase).seenHere,
      stops: watch.breaks.stops,
      onShell: (pid) => void watch.recorder.update(pid === undefined ? {} : { shell: pid }),
    },
    context,
  );
  if (outcome.kind === 'interrupted') {
    context.signal.throwIfAborted();
  }
  if (outcome.kind === 'failed') {
    throw new Failed(withHint(outcome.failure));
  }
}
