/**
 * The journal of submissions as text: what makes a killed run continue without submitting twice.
 *
 * One slot per attempt, of fixed length and two lines: the intent, written and flushed before `submit`
 * starts; the result, blanks at first, written over in place. So the result of an attempt always has its
 * room on the disk already, however full it has become.
 */

const INTENT_BYTES = 1024;
const RESULT_BYTES = 1024;
export const SLOT_BYTES: number = INTENT_BYTES + RESULT_BYTES;
/** Where in a slot the result is. */
export const RESULT_OFFSET: number = INTENT_BYTES;

/** What is about to be submitted. */
export interface Intent {
  readonly system: string;
  readonly architecture: string;
  /** `URL NAME VERSION` */
  readonly line: string;
  /** The file in `pending/` that gets what `submit` prints. */
  readonly pending: string;
}

/** What came of it. */
export interface Result {
  readonly outcome: 'submitted' | 'failed' | 'unknown';
  /** Runs in which it has failed so far, this one included when it is over. */
  readonly failedRuns: number;
  readonly jobs: readonly string[];
  readonly resultRoots: readonly string[];
  readonly reason: string;
}

/** `result` is undefined while the attempt runs, or when it was not seen to end. */
export interface Slot {
  readonly intent: Intent;
  readonly result: Result | undefined;
}

/** A new slot with an empty result. */
export function renderIntent(intent: Intent): Buffer {
  return Buffer.from(pad(JSON.stringify(intent), INTENT_BYTES) + pad('', RESULT_BYTES));
}

/** The second half of a slot. What does not fit is cut: the logs have all of it. */
export function renderResult(result: Result): Buffer {
  let { jobs, resultRoots, reason } = result;
  const render = (): string => JSON.stringify({ ...result, jobs, resultRoots, reason });
  const fits = (): boolean => Buffer.byteLength(render()) < RESULT_BYTES;
  reason = fits() ? reason : reason.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');
  while (!fits()) {
    jobs = jobs.slice(0, Math.max(1, jobs.length - 1));
    resultRoots = resultRoots.slice(0, -1);
    if (jobs.length === 1 && resultRoots.length === 0) {
      break;
    }
  }
  return Buffer.from(pad(render(), RESULT_BYTES));
}

/**
 * The slots in a journal. One whose intent is not whole was never acted upon, and is left out; a result
 * that is not whole is none.
 */
export function parseJournal(content: Buffer): readonly Slot[] {
  const slots: Slot[] = [];
  for (let at = 0; at + INTENT_BYTES <= content.length; at += SLOT_BYTES) {
    const intent = parse<Intent>(content.toString('utf8', at, at + INTENT_BYTES));
    if (intent !== undefined) {
      const from = at + RESULT_OFFSET;
      slots.push({ intent, result: parse(content.toString('utf8', from, from + RESULT_BYTES)) });
    }
  }
  return slots;
}

function parse<T>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}

function pad(text: string, bytes: number): string {
  const missing = bytes - 1 - Buffer.byteLength(text);
  if (missing < 0) {
    throw new Error(`A journal record is ${-missing} bytes too long`);
  }
  return `${text}${' '.repeat(missing)}\n`;
}
