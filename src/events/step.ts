/** Announces a piece of work and how long it took. */
import type { Context } from './event.ts';

/** Runs `work` between `step-start` and `step-end`; a failing step has no end. */
export async function inStep<T>(
  what: { readonly step: string; readonly detail: string },
  context: Context,
  work: () => Promise<T>,
): Promise<T> {
  context.signal.throwIfAborted();
  const start = performance.now();
  context.emit({ kind: 'step-start', ...what });
  const result = await work();
  context.emit({ kind: 'step-end', step: what.step, durationMs: performance.now() - start });
  return result;
}
