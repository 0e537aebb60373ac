import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { HookFailure } from '../../../src/events/failure.ts';
import {
  type BreakScene,
  bannerOf,
  commandsAt,
  historyAt,
  parseDecision,
  shellFile,
} from '../../../src/phases/break-text.ts';
import { PHASES, type PhaseName } from '../../../src/phases/table.ts';
import type { Stop, StopWhen } from '../../../src/run-parts/stops.ts';

function scene(phase: PhaseName, stop?: Partial<Stop>): BreakScene {
  const row = PHASES.find(({ name }) => name === phase);
  assert.ok(row);
  return {
    point: 'before-x',
    phase: row,
    buildDir: '/tmp/dib_build.x',
    hooksDir: '/tmp/in_target.d',
    targetRoot: '/tmp/dib_build.x/mnt',
    outside: false,
    ...(stop === undefined
      ? {}
      : {
          stop: {
            when: 'before' as StopWhen,
            directory: `${phase}.d`,
            name: '50-foo',
            path: `/tmp/in_target.d/${phase}.d/50-foo`,
            passed: [],
            ran: [],
            coming: [],
            ...stop,
          },
        }),
  };
}

const COMMANDS: readonly (readonly [what: string, scene: BreakScene, commands: string])[] = [
  ['a phase', scene('install'), 'abort'],
  ['before a hook', scene('install', {}), 'skip abort'],
  ['after a hook', scene('install', { when: 'after' }), 'retry abort'],
  ['a failed hook', scene('install', { when: 'error' }), 'retry skip abort'],
  [
    'a failed environment file',
    scene('install', { when: 'error', directory: 'environment.d' }),
    'retry abort',
  ],
];

for (const [what, at, commands] of COMMANDS) {
  test(`at ${what} one can: ${commands}`, () => {
    assert.equal(commandsAt(at).join(' '), commands);
  });
}

test('bannerOf() starts with what upstream prints, and says what ran and what is next', () => {
  const ran = Array.from({ length: 12 }, (_, index) => ({ hook: `${index}-x`, durationMs: 1200 }));
  const lines = bannerOf(scene('install', { element: 'mine', ran, coming: ['60-bar'] }));
  assert.deepEqual(lines.slice(0, 2), [
    'Starting debug shell. Exit to resume building.',
    'At stage before-x',
  ]);
  assert.ok(lines.includes("  hook    50-foo of element 'mine'"));
  assert.ok(lines.includes('  next    60-bar, phase post-install'));
  const around = bannerOf({ ...scene('install'), coming: ['10-a', '20-b'] });
  assert.ok(around.includes('  next    10-a, 20-b, phase post-install'));
  const shown = lines.find((line) => line.startsWith('  ran ')) ?? '';
  assert.match(shown, /^ {2}ran {5}11-x \(1\.2 s\), 10-x .*, 4 more$/);
});

test('bannerOf() says what a hook printed before it failed, and that it printed nothing', () => {
  const failed = (lastLines: readonly string[]): readonly string[] => {
    const failure: HookFailure = {
      kind: 'hook',
      phase: 'install',
      hook: '50-foo',
      path: '/x',
      message: 'It failed',
      status: 3,
      lastLines,
    };
    return bannerOf(scene('install', { when: 'error', failure })).slice(2, 4);
  };
  assert.deepEqual(failed(['why']), ['It failed:', '    why']);
  assert.equal(failed([])[0], 'It failed, and printed nothing');
});

test('historyAt() has the hook as a command line, whatever the build directory is called', () => {
  const stop = { path: '/tmp/my builds/hooks/root.d/50-foo' };
  assert.deepEqual(historyAt(scene('root', stop)), [
    "bash -x '/tmp/my builds/hooks/root.d/50-foo'",
    "'/tmp/my builds/hooks/root.d/50-foo'",
  ]);
  assert.deepEqual(historyAt(scene('root')), []);
});

/** Runs the file as a shell without a person, and then some commands. */
function inShell(
  [shell, ...options]: readonly [string, ...string[]],
  commands: string,
): { status: number | null; stdout: string } {
  const text = shellFile({
    point: "it's $here",
    banner: ["it's `here`", '$HOME'],
    commands: ['retry', 'abort'],
    history: ["/tmp/in_target.d/install.d/50-it's"],
    umask: '0027',
    cwd: '/',
    ownSettings: false,
  });
  return spawnSync(shell, [...options, '-c', `${text}\n${commands}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}

/** Interactive where bash has no aliases else. */
const SHELLS = [
  ['bash', '--norc', '-i'],
  ['bash', '--posix', '--norc', '-i'],
  ['dash'],
  ['busybox', 'sh'],
] as const;

const EXITS: readonly (readonly [commands: string, said: string])[] = [
  ['exit', 'go-on\n'],
  ['false; exit', 'go-on\n'],
  ['exit 0', 'go-on\n'],
  ['exit 1', 'abort\n'],
  ['true && exit 3', 'abort\n'],
  ['abort', 'abort\n'],
  ['(exit 3) || echo $?; (false; exit) || echo $?', '3\n1\n'],
];

for (const shell of SHELLS) {
  test(`the file of a debug shell works in ${shell.join(' ')}`, () => {
    const { stdout } = inShell(
      shell,
      'where; umask; pwd; skip || echo refused; exec 3>&1; retry; echo no',
    );
    assert.equal(stdout, "it's `here`\n$HOME\n0027\n/\nrefused\nretry\n");
  });

  for (const [commands, said] of EXITS) {
    test(`in ${shell.join(' ')} '${commands}' says ${JSON.stringify(said)}`, () => {
      assert.equal(inShell(shell, `exec 3>&1; ${commands}`).stdout, said);
    });
  }
}

const SAID: readonly (readonly [said: string, decision: string])[] = [
  ['', 'go-on'],
  ['retry\n', 'retry'],
  ['retry\nabort\n', 'abort'],
  ['skip\ngo-on\n', 'go-on'],
  ['nonsense', 'go-on'],
];

for (const [said, decision] of SAID) {
  test(`parseDecision(${JSON.stringify(said)}) is ${decision}`, () => {
    assert.equal(parseDecision(said), decision);
  });
}
