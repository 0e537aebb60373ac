/**
 * One start of `submit`.
 *
 * What it prints goes into a file of its own, not through us: should we be killed, it can still say which
 * job it got, and the next run reads it. The file has its room on the disk before `submit` starts, so
 * that a full disk cannot take the answer away either.
 */
import { promises as fs } from 'node:fs';
import path from 'node:path';
import { identityOf, livenessOf, parseIdentity, renderIdentity } from '../cache/identity.ts';
import { Failed } from '../events/failure.ts';
import { killGroup, startChild } from './process.ts';
import {
  type Ending,
  judge,
  parseSubmitOutput,
  redactSecrets,
  type SubmitOutput,
  type Verdict,
} from './submit-output.ts';

export interface Attempt {
  readonly verdict: Verdict;
  readonly output: SubmitOutput;
  /** What it printed, without secrets. */
  readonly said: string;
}

export interface AttemptNeeds {
  /** The directory for what running `submit`s print. */
  readonly pending: string;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

const RESERVED_BYTES = 16 * 1024;
const GRACE_MS = 5000;

/** Runs `submit` to its end. Afterwards its output is kept until `forgetAttempt`. */
export async function attemptSubmit(
  argv: readonly [string, ...string[]],
  pending: string,
  needs: AttemptNeeds,
): Promise<Attempt> {
  const file = path.join(needs.pending, pending);
  const handle = await reserve(file);
  let ending: Ending;
  try {
    ending = await runToEnd(argv, { ...needs, file, descriptor: handle.fd });
  } finally {
    await handle.close();
  }
  return readAttempt(file, ending);
}

/** The file for what an attempt prints, with room in it. When that fails there is none: nothing has started. */
async function reserve(file: string): Promise<Awaited<ReturnType<typeof fs.open>>> {
  try {
    // Only for us: after a failed login it has the account's token in it.
    await fs.writeFile(file, Buffer.alloc(RESERVED_BYTES), { mode: 0o600 });
    const handle = await fs.open(file, 'r+');
    await handle.sync();
    return handle;
  } catch (error) {
    await fs.unlink(file).catch(() => {});
    throw error;
  }
}

interface Run extends AttemptNeeds {
  readonly file: string;
  readonly descriptor: number;
}

async function runToEnd(argv: readonly [string, ...string[]], run: Run): Promise<Ending> {
  const child = startChild({ argv, env: run.environment, output: run.descriptor });
  let isLate = false;
  let killing: NodeJS.Timeout | undefined;
  const stopping = setTimeout(() => {
    isLate = true;
    child.kill('SIGTERM');
    killing = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  }, run.timeoutMs);
  try {
    if (child.pid !== undefined) {
      await fs
        .writeFile(processFile(run.file), renderIdentity(await identityOf(child.pid)))
        // Without it a later run takes this one for dead at once; nothing worse.
        .catch(() => {});
    }
    const exit = await child.exit;
    return isLate ? { kind: 'late', seconds: run.timeoutMs / 1000 } : exit;
  } finally {
    clearTimeout(stopping);
    clearTimeout(killing);
  }
}

function processFile(file: string): string {
  return `${file}.process`;
}

async function readAttempt(file: string, ending: Ending): Promise<Attempt> {
  const content = await fs.readFile(file, 'utf8');
  const said = redactSecrets(content.replace(/\0+/g, ''));
  const output = parseSubmitOutput(said);
  return { output, said, verdict: judge(ending, output, said) };
}

/** Removes what an attempt printed, once its result is in the journal. */
export async function forgetAttempt(directory: string, pending: string): Promise<void> {
  const file = path.join(directory, pending);
  await Promise.all([file, processFile(file)].map((each) => fs.unlink(each).catch(() => {})));
}

/**
 * What came of an attempt of a run that was killed; waits for a `submit` that is still at it, for as long
 * as one may take. Undefined: it was never started.
 *
 * @throws Failed `interrupted` when the signal aborts while it waits.
 */
export async function recoverAttempt(
  pending: string,
  needs: AttemptNeeds & { readonly signal: AbortSignal },
): Promise<Attempt | undefined> {
  const file = path.join(needs.pending, pending);
  const isThere = await fs.access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    return undefined;
  }
  const owner = await fs.readFile(processFile(file), 'utf8').then(parseIdentity, () => undefined);
  const deadline = performance.now() + needs.timeoutMs;
  while (
    owner !== undefined &&
    (await livenessOf(owner)) === 'alive' &&
    performance.now() < deadline
  ) {
    if (needs.signal.aborted) {
      const message = 'Interrupted while a submit of an earlier run was still running';
      throw new Failed({ kind: 'interrupted', message, signal: 15 });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (owner !== undefined && (await livenessOf(owner)) === 'alive') {
    killGroup(owner.pid, 'SIGKILL');
  }
  return readAttempt(file, { kind: 'unseen' });
}
