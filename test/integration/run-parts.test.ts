import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { EventBody } from '../../src/events/event.ts';
import { INITIAL_LOG_STATE, logLines, nextLogState } from '../../src/events/lines.ts';
import { runParts } from '../../src/run-parts/run.ts';
import { CASES, type Case } from '../fixtures/run-parts/cases.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = join(ROOT, 'bin/dib-run-parts');
const TWIN = join(ROOT, 'hooks/dib-run-parts');
const PREFIX = 'dib-run-parts ';

interface Result {
  readonly status: number;
  readonly printed: readonly string[];
  readonly own: readonly string[];
}

interface Place {
  readonly top: string;
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
}

type Runner = (one: Case, place: Place) => Promise<Result>;

/** Makes the case's tree, runs `use` on it, and removes it and the daemons that were left. */
async function inTree(one: Case, use: (place: Place) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), 'dib-parts-test-'));
  const pidFile = join(top, 'pid');
  try {
    mkdirSync(join(top, 'x.d'));
    for (const [path, content] of Object.entries(one.files)) {
      const text = typeof content === 'string' ? content : content.text;
      mkdirSync(dirname(join(top, path)), { recursive: true });
      writeFileSync(join(top, path), text);
      const mode = path.startsWith('x.d/') ? 0o755 : 0o644;
      chmodSync(join(top, path), typeof content === 'string' ? mode : content.mode);
    }
    for (const [path, target] of Object.entries(one.links ?? {})) {
      symlinkSync(target, join(top, path));
    }
    const path = process.env.PATH ?? '/usr/bin:/bin';
    const env = { PATH: path, LC_ALL: 'C', PID_FILE: pidFile, ...one.env };
    await use({ top, dir: join(top, 'x.d'), env });
  } finally {
    if (existsSync(pidFile)) {
      process.kill(Number(readFileSync(pidFile, 'utf8')));
    }
    rmSync(top, { recursive: true });
  }
}

/** The lines of a stream without the traces of environment.d; a last one may lack its newline. */
function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !/^\++ /.test(line));
}

/** Own lines as the table of cases has them. */
function ownLines(lines: readonly string[], dir: string): string[] {
  const own: string[] = [];
  let rows: string[] | undefined;
  for (const line of lines) {
    const text = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : undefined;
    if (line.startsWith('Usage: ')) {
      own.push('USAGE');
    } else if (text === '----------------------- PROFILING -----------------------') {
      rows = [];
    } else if (text === '--------------------- END PROFILING ---------------------') {
      assert.deepEqual(rows?.slice(0, 6), TABLE_HEAD);
      assert.equal(rows?.at(-1), '');
      own.push(['TABLE', ...(rows ?? []).slice(6, -1).map(rowName)].join(' '));
      rows = undefined;
    } else if (text !== undefined) {
      (rows ?? own).push(text.replaceAll(dir, 'DIR'));
    }
  }
  return own;
}

const TABLE_HEAD = [
  '',
  'Target: x.d',
  '',
  'Script                                     Seconds',
  '---------------------------------------  ----------',
  '',
];

function rowName(row: string): string {
  assert.match(row, /^.{40} {6}[0-9]\.[0-9]{3}$/);
  return row.slice(0, 40).trimEnd();
}

const engine: Runner = async (_, { dir, env }) => {
  const events: EventBody[] = [];
  const outcome = await runParts(
    { phase: 'x', dir, listDir: dir, where: 'host', launcher: [], env },
    {
      emit: (event) => events.push(event),
      signal: AbortSignal.timeout(30_000),
      toolEnvironment: env,
    },
  );
  const own: string[] = [];
  let state = INITIAL_LOG_STATE;
  for (const body of events) {
    const event = { ...body, at: 0 };
    const hidden = body.kind === 'hooks-ignored' && env.DIB_DEBUG_TRACE === undefined;
    own.push(...(hidden ? [] : logLines(event, state)));
    state = nextLogState(state, event);
  }
  const printed = events.flatMap((event) => (event.kind === 'output' ? [event.line] : []));
  const said = outcome.kind === 'failed' ? [`${PREFIX}${outcome.failure.message}`] : [];
  const shellWords = /^(dib-run-parts|\/.*): line |^\/.*: line /;
  return {
    status: outcome.kind === 'failed' ? outcome.failure.status : 0,
    printed: linesOf(printed.join('\n')).filter((line) => !shellWords.test(line)),
    own: ownLines([...own.filter((line) => line.startsWith(PREFIX)), ...said], dir),
  };
};

function command(argv: readonly [string, ...string[]], path?: string): Runner {
  return async (one, { top, dir, env }) => {
    const [file, ...args] = argv;
    const given = (one.args ?? ['DIR']).map((arg) => arg.replace('DIR', dir));
    // Files, not pipes: what a hook leaves behind would hold a pipe, and spawnSync wait for its end.
    const streams = ['out', 'err'].map((name) => join(top, name));
    const { status } = spawnSync(file, [...args, ...given], {
      env: { ...env, ...(path === undefined ? {} : { PATH: path }) },
      stdio: ['ignore', ...streams.map((stream) => openSync(stream, 'w'))],
      timeout: 30_000,
    });
    assert.ok(status !== null);
    const [out = '', err = ''] = streams.map((stream) => readFileSync(stream, 'utf8'));
    const printed = linesOf(out).map((line) => line.replaceAll(dir, 'DIR'));
    return {
      status,
      printed: out.startsWith('Usage: ') ? ['USAGE'] : printed,
      own: ownLines(err.split('\n'), dir),
    };
  };
}

/** A machine without bash: what BusyBox has, and nothing else. */
const minimal = mkdtempSync(join(tmpdir(), 'dib-parts-minimal-'));
before(() => {
  const { status } = spawnSync('busybox', ['--install', '-s', minimal]);
  assert.equal(status, 0);
  assert.ok(!existsSync(join(minimal, 'bash')));
});
after(() => rmSync(minimal, { recursive: true }));

const RUNNERS: readonly { name: string; run: Runner; engine?: boolean; bash: boolean }[] = [
  { name: 'engine', run: engine, engine: true, bash: true },
  { name: 'bin/dib-run-parts', run: command([process.execPath, COMMAND]), bash: true },
  { name: 'hooks/dib-run-parts', run: command([TWIN]), bash: true },
  { name: 'hooks/dib-run-parts (bash as sh)', run: command(['bash', '--posix', TWIN]), bash: true },
  { name: 'hooks/dib-run-parts (dash, bash installed)', run: command(['dash', TWIN]), bash: true },
  {
    name: 'hooks/dib-run-parts (dash alone)',
    run: command(['/bin/dash', TWIN], minimal),
    bash: false,
  },
  {
    name: 'hooks/dib-run-parts (BusyBox alone)',
    run: command([join(minimal, 'sh'), TWIN], minimal),
    bash: false,
  },
];

for (const { name, run, engine: isEngine, bash } of RUNNERS) {
  describe(name, () => {
    for (const one of CASES) {
      if ((one.args !== undefined && isEngine) || (one.needsBash && !bash)) {
        continue;
      }
      it(one.name, () =>
        inTree(one, async (place) => {
          const { status, printed = [], own = [] } = one.expect;
          assert.deepEqual(await run(one, place), { status, printed, own });
        }),
      );
    }
  });
}
