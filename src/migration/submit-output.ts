/**
 * What `submit` of lkp-tests prints, and what follows from it.
 *
 * Source: lkp-tests, sbin/submit; migration facts, 2.4:
 *
 *     submit JOB, got job id=z9.123            one line per job; a job file may stand for several
 *     submit JOB failed, got job id=0, error: REASON
 *     result_root /srv/result/...              not in every version
 */
import type { Exit } from './process.ts';

export interface SubmitOutput {
  /** `<lab>.<number>`, of whatever lab; unique. */
  readonly jobs: readonly string[];
  readonly resultRoots: readonly string[];
  /** Reasons of the scheduler's refusals. */
  readonly refusals: readonly string[];
}

const JOB = /\bgot[ _]job[ _]id\s*=\s*([A-Za-z][\w-]*\.\d+)\b/;
const REFUSAL = /\bgot[ _]job[ _]id\s*=\s*0\s*,\s*error:\s*(.*)$/;
const ROOT = /^\s*result_root\s+(\/\S+)\s*$/;

export function parseSubmitOutput(text: string): SubmitOutput {
  const jobs = new Set<string>();
  const resultRoots = new Set<string>();
  const refusals = new Set<string>();
  for (const line of text.split(/\r?\n/)) {
    const job = JOB.exec(line)?.[1];
    const refusal = REFUSAL.exec(line)?.[1];
    const root = ROOT.exec(line)?.[1];
    if (job !== undefined) {
      jobs.add(job);
    } else if (refusal !== undefined) {
      refusals.add(refusal.trim());
    } else if (root !== undefined) {
      resultRoots.add(root);
    }
  }
  return { jobs: [...jobs], resultRoots: [...resultRoots], refusals: [...refusals] };
}

/**
 * `submitted`: there is a job. `refused`: there is none, and another attempt may succeed. `hopeless`:
 * there is none, and there will be none for any package. `unknown`: there may be one.
 */
export interface Verdict {
  readonly kind: 'submitted' | 'refused' | 'hopeless' | 'unknown';
  readonly reason: string;
}

/** How an attempt ended: by itself, because it took too long, or nobody saw how. */
export type Ending =
  | Exit
  | { readonly kind: 'late'; readonly seconds: number }
  | { readonly kind: 'unseen' };

/** What an attempt came to. When in doubt it is `unknown`: a second job is worse than a question. */
export function judge(ending: Ending, output: SubmitOutput, said: string): Verdict {
  if (output.jobs.length > 0) {
    return { kind: 'submitted', reason: output.jobs.join(' ') };
  }
  const [refusal] = output.refusals;
  if (refusal !== undefined) {
    const isAccount = /failed to verify the account/i.test(refusal);
    return { kind: isAccount ? 'hopeless' : 'refused', reason: refusal };
  }
  switch (ending.kind) {
    case 'spawn-error':
      return {
        kind: 'hopeless',
        reason: `submit cannot be started: ${ending.code}${ending.code === 'ENOENT' ? ', it is not on PATH. It is a program of lkp-tests' : ''}`,
      };
    case 'late':
      return { kind: 'unknown', reason: `submit did not end within ${ending.seconds} s` };
    case 'unseen':
      return { kind: 'unknown', reason: 'the run was killed while submit was running' };
    case 'signal':
      return { kind: 'unknown', reason: `submit was killed by ${ending.signal}` };
    case 'code':
      return judgeStatus(ending.code, said);
  }
}

/** Words of a client whose request has gone out and whose answer has not come. */
const UNANSWERED = /read ?timeout|timed out reading|execution expired|end of file reached/i;

function judgeStatus(code: number, said: string): Verdict {
  if (code === 0) {
    return { kind: 'unknown', reason: 'submit ended well, but printed no job id' };
  }
  const isUnanswered = UNANSWERED.test(said);
  const lastLine = said.trim().split(/\r?\n/).pop() ?? '';
  const reason = `submit failed with status ${code}${lastLine === '' ? '' : `: ${lastLine}`}`;
  return { kind: isUnanswered ? 'unknown' : 'refused', reason: reason.slice(0, 300) };
}

const SECRET_WORD = String.raw`[\w.-]*(?:token|password|passwd|secret|api_?key|private_?key)[\w.-]*`;
// A quoted value, also where the quotes are quoted (JSON in JSON), or a word.
const SECRET_VALUE = String.raw`\\+"[^"]*"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}'"]+`;
/** `my_token: x`, `"my_token": "x"`, `my_token=x`, `:my_token=>"x"`, `--token x`. */
const SECRET = new RegExp(
  String.raw`(${SECRET_WORD}\\*["']?\s*(?:=>|[:=])\s*)(${SECRET_VALUE})`,
  'gi',
);
const SECRET_OPTION = new RegExp(String.raw`(--${SECRET_WORD}\s+)(${SECRET_VALUE})`, 'gi');
const BEARER = /\b(bearer|basic)(\s+)[\w.~+/-]+=*/gi;

/** The text without the values of whatever is called a token, password, secret or key. */
export function redactSecrets(text: string): string {
  return text.replace(BEARER, '$1$2***').replace(SECRET, '$1***').replace(SECRET_OPTION, '$1***');
}
