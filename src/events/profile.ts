/**
 * The table of run times after each directory of hooks, byte for byte as other tools parse it.
 *
 * Source: lib/dib-run-parts (compat): rows by the bytes of the names, not in run order.
 */

/** How long one hook ran, to its end. */
export interface HookTiming {
  readonly hook: string;
  readonly durationMs: number;
}

/** What begins every line of the run-parts engine. */
export const RUN_PARTS_PREFIX = 'dib-run-parts ';

/** The table's lines, prefix included. `target` is the directory's last component, `install.d`. */
export function renderProfile(target: string, timings: readonly HookTiming[]): string[] {
  const rows = [...timings]
    .sort((a, b) => compareCodeUnits(a.hook, b.hook))
    .map((timing) => `${timing.hook.padEnd(40)} ${seconds(timing.durationMs).padStart(10)}`);
  return [
    '----------------------- PROFILING -----------------------',
    '',
    `Target: ${target}`,
    '',
    `${'Script'.padEnd(40)} ${'Seconds'.padStart(9)}`,
    `${'-'.repeat(39)}  ${'-'.repeat(10)}`,
    '',
    ...rows,
    '',
    '--------------------- END PROFILING ---------------------',
  ].map((line) => RUN_PARTS_PREFIX + line);
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}

// Hook names are ASCII, where code units and bytes order alike.
function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
