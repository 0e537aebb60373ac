/**
 * Break points: a shell, or `break_cmd`, before or after a phase or where the build failed.
 *
 * Names and `break_outside_target` are compat (lib/common-functions, `check_break`). Better than
 * upstream: `break_cmd` and `after-error` work for every phase, and without a terminal we say how to
 * get one instead of hanging.
 */
import type { Context } from '../events/event.ts';
import { Failed, usageError } from '../events/failure.ts';
import type { BreakPlan } from '../plan/build-plan.ts';
import { eachLine, start, statusOf } from '../sandbox/process.ts';
import { PHASES, type Phase } from './table.ts';

/** Refuses break points that would never be reached. @throws Failed `usage`. */
export function assertBreakPoints(points: readonly string[]): void {
  const known = PHASES.flatMap((phase) => [`before-${phase.name}`, `after-${phase.name}`]);
  const unknown = points.filter((point) => point !== 'after-error' && !known.includes(point));
  if (unknown.length > 0) {
    throw usageError(
      `Unknown break point '${unknown.join("', '")}'`,
      `break takes a comma list of before-PHASE, after-PHASE and after-error; phases: ${PHASES.map(
        (phase) => phase.name,
      ).join(', ')}`,
    );
  }
}

/** Who can give us the terminal: the process that draws on it. */
export interface Terminal {
  readonly available: boolean;
  /** Resolves when nobody else draws any more. */
  take(): Promise<void>;
}

export interface BreakSite {
  readonly phase: Phase;
  readonly env: Readonly<Record<string, string>>;
  readonly targetRoot: string;
  readonly cwd: string;
  /** What a person wants to know there: paths, what ran, what is next. */
  readonly facts: readonly string[];
}

export interface Breakers {
  readonly plan: BreakPlan;
  readonly terminal: Terminal;
}

/** Stops at `point` if the user asked for it; resolves when the build may go on: whether it stopped. */
export async function breakAt(
  point: string,
  site: BreakSite,
  run: { readonly breakers: Breakers; readonly context: Context },
): Promise<boolean> {
  const { plan, terminal } = run.breakers;
  if (!plan.points.includes(point)) {
    return false;
  }
  const lines = [
    'Starting debug shell. Exit to resume building.',
    `At stage ${point}`,
    ...site.facts,
    "'exit' goes on, 'exit 1' ends the build",
  ];
  if (plan.command === undefined && !terminal.available) {
    throw usageError(
      `Cannot stop at ${point}: there is no terminal for a shell`,
      `Run the same command in a terminal, or give a command: break=${point} break_cmd='env' ...`,
    );
  }
  run.context.emit({ kind: 'break-start', point, lines });
  const status = await runBreak(site, run, point === 'after-error');
  run.context.emit({ kind: 'break-end', point });
  if (status !== 0 && point !== 'after-error') {
    throw new Failed({
      kind: 'tool',
      message: `The debug shell at ${point} ended the build with status ${status}`,
      argv: [plan.command ?? 'bash'],
      status,
      lastLines: [],
      hint: "Leave it with 'exit 0' to go on",
    });
  }
  return true;
}

async function runBreak(
  site: BreakSite,
  run: { readonly breakers: Breakers; readonly context: Context },
  afterError: boolean,
): Promise<number> {
  const { plan, terminal } = run.breakers;
  const inTarget = site.phase.where === 'target' && !(afterError && plan.outsideTarget);
  const shell = plan.command === undefined ? ['bash'] : ['bash', '-c', plan.command];
  const [file = 'bash', ...args] = inTarget ? ['chroot', site.targetRoot, ...shell] : shell;
  const command = { argv: [file, ...args] as [string, ...string[]], env: site.env, cwd: site.cwd };
  if (!terminal.available) {
    const running = start(command, run.context.signal);
    await eachLine(running.all, (line) => run.context.emit({ kind: 'output', line }));
    return statusOf(await running.exit);
  }
  await terminal.take();
  return statusOf(await start({ ...command, output: 'terminal' }, run.context.signal).exit);
}
