/** After a killed run: what became of the submissions that it had begun. */
import { promises as fs } from 'node:fs';
import type { Journal } from './journal.ts';
import { type AttemptNeeds, forgetAttempt, recoverAttempt } from './submit-attempt.ts';
import { resultOf } from './submit-batch.ts';

export interface Recovered {
  readonly submitted: number;
  readonly unknown: number;
}

/**
 * Settles every submission whose end nobody has seen: by what its `submit` has printed, or as never
 * started. What remains in doubt is `unknown`, and is held.
 */
export async function recoverSubmissions(
  journal: Journal,
  needs: AttemptNeeds & { readonly signal: AbortSignal },
): Promise<Recovered> {
  let submitted = 0;
  let unknown = 0;
  let settled = 0;
  for (const { intent, result } of journal.all()) {
    if (result !== undefined) {
      continue;
    }
    settled += 1;
    const attempt = await recoverAttempt(intent.pending, needs);
    if (attempt === undefined) {
      const reason = 'never started';
      journal.settle(intent, {
        outcome: 'failed',
        failedRuns: 0,
        jobs: [],
        resultRoots: [],
        reason,
      });
      continue;
    }
    const outcome = resultOf(attempt, { failedRuns: 0, isLast: false });
    journal.settle(intent, outcome);
    submitted += outcome.outcome === 'submitted' ? 1 : 0;
    unknown += outcome.outcome === 'unknown' ? 1 : 0;
  }
  // On the disk before what it was made of is removed.
  if (settled > 0) {
    await journal.compact(() => true);
  }
  for (const pending of await fs.readdir(needs.pending)) {
    await forgetAttempt(needs.pending, pending);
  }
  return { submitted, unknown };
}
