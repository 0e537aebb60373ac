/**
 * `fingerprint.d/<phase>/<hook>`: what a phase depends on outside the elements.
 *
 * The hooks run on the host before their phase, after `environment.d`, with the environment of a host
 * phase. Each line that they print is an input: its first word the name, the rest its state, such as a
 * digest. `offline` as the state means that nobody was asked, and whatever a layer was made of will do. A line
 * `uncacheable REASON` says that the phase cannot be reused at all, `undeclared REASON` that the hook knows
 * only part of what comes over the network. What they say on standard error is shown.
 */
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { selectEnvironmentFiles } from '../run-parts/environment-files.ts';
import { listEntries } from '../run-parts/list.ts';
import { selectHooks } from '../run-parts/select.ts';
import { eachLine, start, statusOf } from '../sandbox/process.ts';

export const FINGERPRINT_FOLDER = 'fingerprint.d';

export interface Fingerprint {
  readonly external: Readonly<Record<string, string>>;
  /** The hooks, by name, that said what there is to say of what is beyond this host. */
  readonly remote: readonly string[];
  /** Why the phase cannot be reused. */
  readonly uncacheable?: string;
}

export interface FingerprintRequest {
  readonly phase: string;
  readonly hooksDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Sources what is before `--`, its output aside, and runs what is after it. Says which one runs, and which failed. */
const SCRIPT = `
set -eu -o pipefail
exec 3>&1 1>&2
while [ "$1" != -- ]; do
    source "$1"
    shift
done
shift
for _dib_hook in "$@"; do
    _dib_status=0
    printf '\\ndibkit-hook %s\\n' "$_dib_hook" >&3
    "$_dib_hook" 1>&3 3>&- || _dib_status=$?
    if [ "$_dib_status" -ne 0 ]; then
        echo "dibkit-failed $_dib_status $_dib_hook" >&3
        exit 1
    fi
done
`;

/** What the hooks of one phase say; a phase without such hooks depends on nothing. @throws Failed `hook`. */
export async function readFingerprint(
  request: FingerprintRequest,
  context: Context,
): Promise<Fingerprint> {
  const { hooksDir, phase } = request;
  const folder = path.join(hooksDir, FINGERPRINT_FOLDER, phase);
  const { run } = selectHooks(listEntries(folder));
  if (run.length === 0) {
    return { external: {}, remote: [] };
  }
  const environment = path.join(hooksDir, 'environment.d');
  const sourced = selectEnvironmentFiles(listEntries(environment));
  const printed: string[] = [];
  const said: string[] = [];
  const running = start(
    {
      argv: [
        'bash',
        '-c',
        SCRIPT,
        'fingerprint',
        ...sourced.map((name) => path.join(environment, name)),
        '--',
        ...run.map((name) => path.join(folder, name)),
      ],
      env: request.env,
      cwd: request.cwd,
      output: 'separate',
    },
    context.signal,
  );
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.stdout, (line) => printed.push(line)),
    eachLine(running.stderr, (line) => {
      said.push(line);
      context.emit({ kind: 'output', line });
    }),
  ]);
  context.signal.throwIfAborted();
  if (statusOf(exit) !== 0) {
    throw failed(phase, printed, said.slice(-20));
  }
  return parseFingerprint(printed);
}

/** Inputs from lines. Pure. */
export function parseFingerprint(lines: readonly string[]): Fingerprint {
  const external = new Map<string, string>();
  const remote = new Set<string>();
  const partly = new Set<string>();
  let hook = '';
  let uncacheable: string | undefined;
  for (const [name, state] of lines
    .map((each) => each.trim())
    .filter(Boolean)
    .map(split)) {
    if (name === 'dibkit-hook') {
      hook = path.basename(state);
    } else if (name === 'uncacheable') {
      uncacheable = state;
    } else if (name === 'undeclared') {
      partly.add(hook);
    } else {
      // What is on this host says nothing of what came over the network.
      if (!/^(?:file|host):/.test(name)) {
        remote.add(hook);
      }
      const earlier = external.get(name);
      external.set(name, earlier === undefined ? state : `${earlier} ${state}`);
    }
  }
  return {
    external: Object.fromEntries([...external].sort(([a], [b]) => (a < b ? -1 : 1))),
    remote: [...remote].filter((each) => !partly.has(each)),
    ...(uncacheable === undefined ? {} : { uncacheable }),
  };
}

/** The first word of a line, and the rest. */
function split(line: string): readonly [string, string] {
  const [, name = line, state = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
  return [name, state];
}

function failed(phase: string, printed: readonly string[], lastLines: readonly string[]): Failed {
  const [, status = '1', hook = ''] = /^dibkit-failed (\d+) (.*)$/.exec(printed.at(-1) ?? '') ?? [];
  const name =
    hook === '' ? 'environment.d' : `${FINGERPRINT_FOLDER}/${phase}/${path.basename(hook)}`;
  return new Failed({
    kind: 'hook',
    phase,
    hook: name,
    path: hook,
    message: `'${name}' failed with status ${status}`,
    status: Number(status),
    lastLines,
    hint: 'It says what the phase depends on; --no-cache does without it',
  });
}
