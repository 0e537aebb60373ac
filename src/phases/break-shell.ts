/** The shell, or the command, at a break point: started in the build, where its hooks run. */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { Failed, hostError } from '../events/failure.ts';
import type { BreakPlan } from '../plan/build-plan.ts';
import { eachLine, start, statusOf } from '../sandbox/process.ts';
import { findShell, interactive, runOnTerminal } from '../sandbox/terminal-shell.ts';
import type { BreakScene, Command } from './break-text.ts';
import { bannerOf, commandsAt, historyAt, parseDecision, shellFile } from './break-text.ts';
import { TARGET_HOOKS } from './environment.ts';

/** Who can give us the terminal: the process that draws on it. */
export interface Terminal {
  readonly available: boolean;
  /** Resolves when nobody else draws any more. */
  take(): Promise<void>;
  /** Whether it has gone away since. */
  lost(): boolean;
}

export interface BreakRequest {
  readonly scene: Omit<BreakScene, 'outside' | 'hooksDir'>;
  readonly plan: BreakPlan;
  readonly terminal: Terminal;
  readonly context: Context;
  /** On this side. */
  readonly hooksDir: string;
  /** Of hooks there. */
  readonly env: Readonly<Record<string, string>>;
  /** On this side. */
  readonly cwd: string;
  readonly umask: string;
}

/** What was said at a break point; `status` is that of `break_cmd`. */
export interface BreakOutcome {
  readonly decision: Command | 'go-on';
  readonly status: number;
}

/**
 * There while a shell runs: in the hook tree, or in the target's /tmp, since hooks there may see a
 * copy of the tree that nobody can write.
 */
const SHELL_FILE = '.dibkit-shell';

/** Runs the shell or the command of one stop. @throws Failed `interrupted` when the terminal goes away */
export async function runBreak(request: BreakRequest): Promise<BreakOutcome> {
  const { plan, terminal, context } = request;
  const inTarget = isInTarget(request);
  const launcher = inTarget ? ['chroot', request.scene.targetRoot] : [];
  const cwd = inTarget ? '/' : request.cwd;
  if (plan.command !== undefined) {
    const [file = 'bash', ...args] = [...launcher, 'bash', '-c', plan.command];
    return { decision: 'go-on', status: await runCommand({ argv: [file, ...args], cwd }, request) };
  }
  const shell = await findShell(launcher, request.env, context.signal);
  if (shell === undefined && inTarget) {
    return runBreak({ ...request, plan: { ...plan, outsideTarget: true } });
  }
  if (shell === undefined) {
    throw hostError(`Cannot stop at ${request.scene.point}: there is no shell on PATH`);
  }
  await using file = await putShellFile(request, inTarget);
  await say(request, file.banner, terminal);
  const { argv, env } = interactive(shell, file.seenAs);
  const outcome = await runOnTerminal(
    {
      argv: [...launcher, ...argv],
      env: { ...request.env, ...env },
      cwd,
      scratch: request.scene.buildDir,
    },
    context.signal,
  );
  context.emit({ kind: 'break-end', point: request.scene.point });
  assertStillThere(terminal);
  return { decision: parseDecision(outcome.said), status: 0 };
}

/** `break_outside_target` and a target without a shell lead to the host. */
function isInTarget({ scene, plan }: BreakRequest): boolean {
  return scene.phase.where === 'target' && !plan.outsideTarget;
}

async function say(
  request: BreakRequest,
  lines: readonly string[],
  terminal: Terminal | undefined,
): Promise<void> {
  const { context, scene } = request;
  const taken = terminal?.take();
  context.emit({ kind: 'break-start', point: scene.point, lines });
  await taken;
}

async function runCommand(
  command: { readonly argv: [string, ...string[]]; readonly cwd: string },
  request: BreakRequest,
): Promise<number> {
  const { terminal, context, scene, env } = request;
  const banner = bannerOf({ ...scene, hooksDir: request.hooksDir, outside: !isInTarget(request) });
  await say(request, banner.slice(0, 2), terminal.available ? terminal : undefined);
  const running = start(
    { ...command, env, ...(terminal.available ? { output: 'terminal' as const } : {}) },
    context.signal,
  );
  await eachLine(running.all, (line) => context.emit({ kind: 'output', line }));
  const status = statusOf(await running.exit);
  context.emit({ kind: 'break-end', point: scene.point });
  return status;
}

/** End of input because nobody is there any more is no `exit`. */
function assertStillThere(terminal: Terminal): void {
  if (terminal.lost()) {
    throw new Failed({
      kind: 'interrupted',
      signal: 1,
      message: 'The terminal of the debug shell has gone; nothing is left of the build',
    });
  }
}

interface PutFile extends AsyncDisposable {
  readonly banner: readonly string[];
  /** Its name where the shell is. */
  readonly seenAs: string;
}

async function putShellFile(request: BreakRequest, inTarget: boolean): Promise<PutFile> {
  const { hooksDir, scene: given, cwd, umask } = request;
  const seenDir = inTarget ? TARGET_HOOKS : hooksDir;
  const scene = {
    ...given,
    hooksDir: seenDir,
    outside: given.phase.where === 'target' && !inTarget,
  };
  const banner = bannerOf(scene);
  const file = path.join(inTarget ? path.join(given.targetRoot, 'tmp') : hooksDir, SHELL_FILE);
  const text = shellFile({
    point: given.point,
    banner,
    commands: commandsAt(scene),
    history: historyAt(scene),
    umask,
    cwd: inTarget ? insideOf(cwd, given.targetRoot) : cwd,
    ownSettings: !inTarget,
  });
  await writeFile(file, text, { mode: 0o644 });
  return {
    banner,
    seenAs: inTarget ? `/tmp/${SHELL_FILE}` : file,
    [Symbol.asyncDispose]: () => rm(file, { force: true }),
  };
}

function insideOf(directory: string, root: string): string {
  return directory.startsWith(`${root}/`) ? directory.slice(root.length) : '/';
}
