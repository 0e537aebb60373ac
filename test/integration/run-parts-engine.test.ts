import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Context, EventBody } from '../../src/events/event.ts';
import { Failed } from '../../src/events/failure.ts';
import type { PartsOutcome, PartsRequest } from '../../src/run-parts/request.ts';
import { runParts } from '../../src/run-parts/run.ts';

const PATH = process.env.PATH ?? '/usr/bin:/bin';

let top: string;
let events: EventBody[];
let stop: AbortController;
let onEvent: (event: EventBody) => void;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'dib-parts-test-'));
  mkdirSync(join(top, 'x.d'));
  events = [];
  stop = new AbortController();
  onEvent = () => {};
});
afterEach(() => {
  stop.abort();
  rmSync(top, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(top, path)), { recursive: true });
  writeFileSync(join(top, path), text, { mode: path.startsWith('environment.d/') ? 0o644 : 0o755 });
}

function run(request: Partial<PartsRequest> = {}): Promise<PartsOutcome> {
  const dir = join(top, 'x.d');
  const context: Context = {
    emit: (event) => {
      events.push(event);
      onEvent(event);
    },
    signal: stop.signal,
    toolEnvironment: { PATH },
  };
  const env = { PATH, LC_ALL: 'C', TOP: top };
  return runParts(
    { phase: 'x', dir, listDir: dir, where: 'host', launcher: [], env, ...request },
    context,
  );
}

function output(): string[] {
  return events.flatMap((event) => (event.kind === 'output' ? [event.line] : []));
}

/** A root directory that holds bash and what it links to, and nothing else. */
function makeTarget(): string {
  const root = join(top, 'root');
  const libraries = spawnSync('ldd', ['/bin/bash'], { encoding: 'utf8' }).stdout;
  for (const file of ['/bin/bash', ...(libraries.match(/\/\S+/g) ?? [])]) {
    cpSync(file, join(root, file), { dereference: true });
  }
  return root;
}

/** Resolves when no process with one of these numbers runs; the test's own limit ends the wait. */
async function allGone(pids: readonly string[]): Promise<void> {
  while (pids.some(isAlive)) {
    await setImmediate();
  }
}

function isAlive(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('runParts()', { timeout: 60_000 }, () => {
  it('keeps what hooks print, and where each begins and ends, in one order', async () => {
    write('environment.d/10-a', 'echo sourced >&2\n');
    write('x.d/10-a', '#!/bin/bash\necho out\necho err >&2\necho dev >/dev/stderr\nprintf half\n');
    write('x.d/20-b', '#!/bin/bash\necho b\n');
    assert.equal((await run()).kind, 'ok');
    const seen = events.flatMap((event) => {
      if (event.kind === 'output') {
        return event.line.startsWith('+') ? [] : [event.line];
      }
      return 'hook' in event ? [`${event.kind} ${event.hook}`] : [event.kind];
    });
    assert.deepEqual(seen, [
      ...['phase-start', 'environment-file', 'sourced', 'hook-start 10-a', 'out', 'err', 'dev'],
      ...['half', 'hook-end 10-a', 'hook-start 20-b', 'b', 'hook-end 20-b', 'phase-end'],
    ]);
  });

  it('gives hooks an empty input and none of its own descriptors', async () => {
    write(
      'x.d/10-a',
      '#!/bin/bash\nread -r line || echo empty\nfor fd in 3 4 61 62; do\n' +
        '    { : >&"$fd"; } 2>/dev/null && echo "open $fd"\ndone\nexit 0\n',
    );
    await run();
    assert.deepEqual(output(), ['empty']);
  });

  it('says who failed, where the file came from, and the last lines', async () => {
    write('x.d/10-a', '#!/bin/bash\nfor i in {1..30}; do echo "line $i"; done\nexit 3\n');
    const outcome = await run({
      elementOf: (file, directory) => `element of ${directory}/${file}`,
      sourceOf: (file, directory) => `/source/${directory}/${file}`,
    });
    assert.ok(outcome.kind === 'failed');
    const { element, path, status, lastLines, message } = outcome.failure;
    assert.deepEqual([element, path, status], ['element of x.d/10-a', '/source/x.d/10-a', 3]);
    assert.deepEqual([lastLines.length, lastLines.at(-1)], [20, 'line 30']);
    assert.match(message, /'x\.d\/10-a' of element 'element of x\.d\/10-a' failed with status 3/);
    assert.deepEqual(events.at(-1)?.kind, 'phase-end');
  });

  it('names the environment file that fails, and what it said', async () => {
    write('environment.d/10-bad', 'echo "${dib_nothing_of_this_name}"\n');
    write('x.d/10-a', '#!/bin/bash\n');
    const outcome = await run({ elementOf: (file, directory) => `${directory} ${file}` });
    assert.ok(outcome.kind === 'failed');
    assert.equal(outcome.failure.element, 'environment.d 10-bad');
    assert.equal(outcome.failure.status, 1);
    assert.match(outcome.failure.lastLines.at(-1) ?? '', /dib_nothing_of_this_name: unbound/);
  });

  it('waits for the last words of a hook that fails', async () => {
    write('x.d/10-a', '#!/bin/bash\nexec > >(sleep 0.4; cat) 2>&1\necho why\nexit 3\n');
    const outcome = await run();
    assert.ok(outcome.kind === 'failed');
    assert.deepEqual(outcome.failure.lastLines, ['why']);
  });

  it('tells a hook that kills its shell from one that fails', async () => {
    write('x.d/10-a', '#!/bin/bash\nkill -KILL "$PPID"\n');
    const outcome = await run();
    assert.ok(outcome.kind === 'failed');
    assert.equal(outcome.failure.status, 137);
    assert.match(outcome.failure.message, /took the shell that ran it with it/);
  });

  it('passes on a lot of output, junk and endless lines without keeping it', async () => {
    write('x.d/10-a', '#!/bin/bash\nhead -c 20000000 /dev/urandom\nhead -c 50000000 /dev/zero\n');
    write('x.d/20-b', '#!/bin/bash\necho end\n');
    const before = process.memoryUsage().rss;
    let bytes = 0;
    let last = '';
    onEvent = (event) => {
      if (event.kind === 'output') {
        events.pop();
        bytes += event.line.length;
        last = event.line;
      }
    };
    assert.equal((await run()).kind, 'ok');
    assert.equal(last, 'end');
    assert.ok(bytes > 50_000_000);
    assert.ok(process.memoryUsage().rss - before < 150_000_000);
  });

  it('runs nothing more when it is interrupted, and leaves no process', async () => {
    write(
      'x.d/10-a',
      [
        '#!/bin/bash',
        'sleep 60 & pids=$!',
        '(trap \'\' TERM; exec sleep 60) & pids="$pids $!"',
        'echo "$pids $$" >"$TOP/pids"',
        'echo up',
        'wait',
        '',
      ].join('\n'),
    );
    write('x.d/20-b', '#!/bin/bash\necho never\n');
    onEvent = (event) => {
      if (event.kind === 'output') {
        stop.abort();
      }
    };
    assert.deepEqual(await run(), { kind: 'interrupted' });
    assert.ok(!output().includes('never'));
    await allGone(readFileSync(join(top, 'pids'), 'utf8').trim().split(' '));
  });

  it('lets a hook clean up after TERM', async () => {
    write(
      'x.d/10-a',
      "#!/bin/bash\ntrap 'echo cleaned; exit 9' TERM\necho up\nwhile :; do sleep 0.01; done\n",
    );
    onEvent = (event) => {
      if (event.kind === 'output') {
        stop.abort();
      }
    };
    assert.deepEqual(await run(), { kind: 'interrupted' });
    assert.ok(output().includes('cleaned'));
  });

  it('says that the host has no bash', async () => {
    await assert.rejects(
      run({ env: { PATH: join(top, 'x.d') } }),
      (error) => error instanceof Failed && error.failure.kind === 'host',
    );
  });
});

describe('runParts() in a target', { timeout: 60_000 }, () => {
  it('sees links as the target does', async () => {
    const root = makeTarget();
    write('root/hooks/x.d/10-file', '#!/bin/bash\necho "file in $PWD"\n');
    write('root/opt/tool', '#!/bin/bash\necho "tool $0"\n');
    write('root/hooks/environment.d/10-a', 'export A=1\n');
    symlinkSync('/opt/tool', join(root, 'hooks/x.d/20-link'));
    symlinkSync('/etc/passwd', join(root, 'hooks/x.d/30-only-here'));
    const outcome = await run({
      where: 'target',
      launcher: ['chroot', root],
      dir: '/hooks/x.d',
      listDir: join(root, 'hooks/x.d'),
    });
    assert.deepEqual([outcome.kind, output().at(-1)], ['ok', 'tool /hooks/x.d/20-link']);
    const lines = output().filter((line) => !line.startsWith('+'));
    assert.deepEqual(lines, ['file in /', 'tool /hooks/x.d/20-link']);
  });

  it('takes the word of what a hook called for why it failed, and removes it', async () => {
    const root = makeTarget();
    const failureNote = join(root, 'tmp/note');
    const inTarget = {
      where: 'target',
      launcher: ['chroot', root],
      dir: '/hooks/x.d',
      listDir: join(root, 'hooks/x.d'),
      failureNote,
    } as const;
    mkdirSync(join(root, 'tmp'));
    write('root/hooks/x.d/10-a', "#!/bin/bash\nprintf 'verify\\nBad\\n' >/tmp/note\nexit 4\n");
    const outcome = await run(inTarget);
    assert.deepEqual(outcome.kind === 'failed' && outcome.failure.cause, {
      kind: 'verify',
      message: 'Bad',
    });
    assert.equal(existsSync(failureNote), false);

    // A hook that got over it, and one that fails later for a reason of its own.
    write('root/hooks/x.d/10-a', "#!/bin/bash\nprintf 'verify\\nBad\\n' >/tmp/note\n");
    write('root/hooks/x.d/20-b', '#!/bin/bash\nexit 4\n');
    const other = await run(inTarget);
    assert.equal(other.kind === 'failed' && other.failure.hook, '20-b');
    assert.equal(other.kind === 'failed' && other.failure.cause, undefined);

    // Where the target put a link to a file of the host's.
    writeFileSync(join(top, 'secret'), 'verify\nsecret\n');
    symlinkSync(join(top, 'secret'), failureNote);
    const linked = await run(inTarget);
    assert.equal(linked.kind === 'failed' && linked.failure.cause, undefined);
  });

  it('says that the target has no bash', async () => {
    mkdirSync(join(top, 'empty'));
    await assert.rejects(
      run({ where: 'target', launcher: ['chroot', join(top, 'empty')], dir: '/x.d' }),
      (error) => error instanceof Failed && /the target has no bash/.test(error.message),
    );
  });
});

describe('bin/dib-run-parts', { timeout: 60_000 }, () => {
  it('ends its hooks, and with 128 + the signal, when it gets one', async () => {
    write('x.d/10-a', '#!/bin/bash\nsleep 60 &\necho "$! $$"\nwait\n');
    const command = fileURLToPath(new URL('../../bin/dib-run-parts', import.meta.url));
    const child = spawn(process.execPath, [command, join(top, 'x.d')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [pids] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [143, null]);
    await allGone(pids.toString().trim().split(' '));
  });
});
