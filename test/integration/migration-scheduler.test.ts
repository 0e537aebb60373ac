/** The scheduler on a clock of the test's and a real state directory. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Failed } from '../../src/events/failure.ts';
import { parseSchedule } from '../../src/migration/schedule/cron.ts';
import { runScheduler, type SchedulerOptions } from '../../src/migration/schedule/scheduler.ts';
import type { Clock } from '../../src/migration/watch.ts';
import { status } from '../rig/http-server.ts';
import { MigrationRig, onBoth, pkg, rpm } from '../rig/migration.ts';

const HOUR_MS = 3_600_000;
const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');
const UTC = parseSchedule('0 2 * * *', 'UTC');
const DAY = (day: number, time = '02:00:00'): number =>
  Date.parse(`2026-05-${String(day).padStart(2, '0')}T${time}Z`);

/** Time passes only while somebody sleeps, and then at once. */
class VirtualClock implements Clock {
  #now: number;
  /** Called before each sleep with the time; what it returns is the time from then on. */
  onSleep: (now: number) => number = (now) => now;

  constructor(start: number) {
    this.#now = start;
  }

  now(): Date {
    return new Date(this.#now);
  }

  async sleep(duration: number): Promise<void> {
    assert.ok(duration <= 60_000, 'a long sleep would not notice that the clock was set');
    this.#now = this.onSleep(this.#now) + duration;
  }
}

interface Bench extends AsyncDisposable {
  readonly stateDir: string;
  readonly clock: VirtualClock;
  readonly said: string[];
  /** When runs began. */
  readonly runs: string[];
  /** Runs the scheduler until the clock says so. */
  until(end: number, options?: Partial<SchedulerOptions>): Promise<void>;
}

async function openBench(start: number): Promise<Bench> {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'dibkit-schedule-'));
  const clock = new VirtualClock(start);
  const said: string[] = [];
  const runs: string[] = [];
  return {
    ...{ stateDir, clock, said, runs },
    async until(end, options = {}) {
      const stop = new AbortController();
      const jump = clock.onSleep;
      clock.onSleep = (now) => {
        const time = jump(now);
        if (time >= end) {
          stop.abort();
        }
        return time;
      };
      const all: SchedulerOptions = {
        schedule: UTC,
        missed: 'run',
        keepDays: 30,
        stateDir,
        logDir: path.join(stateDir, 'log'),
        clock,
        run: async () => {
          runs.push(iso(clock.now().getTime()));
        },
        say: (line) => said.push(line),
        ...options,
      };
      try {
        await runScheduler(all, { emit: () => {}, signal: stop.signal });
      } finally {
        clock.onSleep = jump;
      }
    },
    [Symbol.asyncDispose]: () => rm(stateDir, { recursive: true }),
  };
}

test('the scheduler runs at each due time, and remembers when it is the turn again', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  await bench.until(DAY(3, '12:00:00'));
  assert.deepEqual(bench.runs, ['2026-05-02T02:00:00Z', '2026-05-03T02:00:00Z']);
  const memory = JSON.parse(await readFile(path.join(bench.stateDir, 'schedule.json'), 'utf8'));
  assert.equal(memory.settled, '2026-05-03T02:00:00.000Z');
  assert.equal(memory.next, '2026-05-04T02:00:00.000Z');
  assert.deepEqual(await readdir(bench.stateDir), ['schedule.json'], 'its lock is gone');
});

test('the scheduler makes up for what it missed while it was stopped, once', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  await bench.until(DAY(2, '12:00:00'));
  bench.clock.onSleep = (now) => now;
  await using later = await openBench(DAY(6, '09:30:00'));
  await rm(later.stateDir, { recursive: true });
  await mkdir(later.stateDir);
  const memory = await readFile(path.join(bench.stateDir, 'schedule.json'));
  await writeFile(path.join(later.stateDir, 'schedule.json'), memory);
  await later.until(DAY(7, '01:00:00'));
  assert.deepEqual(later.runs, ['2026-05-06T09:30:00Z']);
  assert.ok(later.said.some((line) => line.startsWith('missed 4 of the runs')));
});

test('a clock that jumps over the due time is noticed; one that is set back runs nothing twice', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  let jumps = 0;
  bench.clock.onSleep = (now) => {
    if (jumps === 0 && now >= DAY(1, '20:00:00')) {
      jumps = 1;
      return now + 10 * HOUR_MS;
    }
    if (jumps === 1 && now >= DAY(2, '06:30:00')) {
      jumps = 2;
      return now - 10 * HOUR_MS;
    }
    return now;
  };
  await bench.until(DAY(3, '12:00:00'));
  assert.equal(bench.runs.length, 2);
  assert.match(bench.runs[0] ?? '', /^2026-05-02T06:/);
  assert.equal(bench.runs[1], '2026-05-03T02:00:00Z');
});

test('a run that fails is told, and the next one happens', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  let count = 0;
  const run = async (): Promise<void> => {
    count += 1;
    throw new Failed({ kind: 'lock-busy', message: 'Another run is going on', path: '' });
  };
  await bench.until(DAY(3, '12:00:00'), { run });
  assert.equal(count, 2);
  assert.ok(bench.said.some((line) => line.endsWith('failed: Another run is going on')));
});

for (const [missed, again] of [
  ['run', 1],
  ['skip', 0],
] as const) {
  test(`a run that was cut short, and missed: ${missed}`, async () => {
    await using bench = await openBench(DAY(2, '01:59:30'));
    const stop = new AbortController();
    const options: SchedulerOptions = {
      ...{ schedule: UTC, missed, keepDays: 30, stateDir: bench.stateDir, logDir: bench.stateDir },
      clock: bench.clock,
      // TERM arrives while the run is going on; it ends by itself.
      run: async (signal) => {
        stop.abort();
        assert.equal(signal.aborted, true);
      },
      say: () => {},
    };
    await runScheduler(options, { emit: () => {}, signal: stop.signal });
    await bench.until(DAY(2, '12:00:00'), { missed });
    assert.equal(bench.runs.length, again);
  });
}

test('old log directories are removed before a run, and nothing else', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  const log = path.join(bench.stateDir, 'log');
  const names = [
    'submit-log-centos_9-stream_aarch64-20260401-021000',
    'submit-log-centos_9-stream_aarch64-20260430-021000',
  ];
  for (const name of names) {
    await mkdir(path.join(log, name), { recursive: true });
  }
  await writeFile(path.join(log, 'submit-log-a_b_c-20200101-000000'), 'a file');
  await bench.until(DAY(3, '12:00:00'));
  assert.deepEqual((await readdir(log)).sort(), ['submit-log-a_b_c-20200101-000000', names[1]]);
});

test('there is one scheduler for a state directory', async () => {
  await using bench = await openBench(DAY(1, '12:00:00'));
  let second: unknown;
  const run = async (): Promise<void> => {
    second = await bench.until(0).catch((error: unknown) => error);
  };
  await bench.until(DAY(2, '12:00:00'), { run });
  assert.ok(second instanceof Failed);
  assert.equal(second.failure.kind, 'lock-busy');
});

test('a memory that cannot be read is told, not thrown away', async () => {
  await using bench = await openBench(DAY(1));
  await writeFile(path.join(bench.stateDir, 'schedule.json'), '{"version":1,"set');
  await assert.rejects(bench.until(DAY(2)), (error: unknown) => {
    assert.ok(error instanceof Failed);
    assert.equal(error.failure.kind, 'config');
    return true;
  });
});

// The whole service, but for the hours between: mirror, metadata, submission, lists, schedule.
test('a package is followed from its appearance upstream to the success list, over days with faults', async () => {
  await using rig = await MigrationRig.open();
  await using bench = await openBench(DAY(1, '12:00:00'));
  const outcomes: string[] = [];
  const run = async (): Promise<void> => {
    rig.now = bench.clock.now();
    outcomes.push((await rig.run()).outcome);
  };
  const jobs = onBoth(rpm('new-1.0'));

  // The first night seeds.
  await bench.until(DAY(2, '12:00:00'), { run });
  assert.deepEqual(rig.calls(), []);

  // It appears. One repository is down, and the scheduler of jobs is, for one architecture.
  rig.publish('a', ['old-1.0', 'new-1.0'].map(pkg));
  const { repomdPath } = rig.publish('b', ['bold-1.0', 'new-2.0'].map(pkg));
  rig.server.serve(repomdPath, status(503));
  await rig.how(`${rpm('new-1.0')}.x86_64`, 'exit-1');
  await bench.until(DAY(3, '12:00:00'), { run });
  assert.deepEqual(rig.jobs(), jobs.slice(0, 1));
  assert.match(rig.logged('aarch64', 'submit-succ-list'), /new-1\.0/);
  assert.match(rig.logged('x86_64', 'submit-fail-list'), /new-1\.0/);

  // Everything is up again: what is missing is submitted, and nothing else.
  await rig.forgetHow();
  rig.publish('b', ['bold-1.0', 'new-2.0'].map(pkg));
  await bench.until(DAY(4, '12:00:00'), { run });
  assert.deepEqual(rig.jobs(), [...jobs, ...onBoth(rpm('new-2.0'))].sort());
  assert.match(rig.logged('x86_64', 'submit-succ-list'), /new-1\.0/);
  assert.ok(rig.history().includes(rpm('new-1.0')));

  await bench.until(DAY(5, '12:00:00'), { run });
  assert.equal(rig.jobs().length, 4);
  assert.deepEqual(outcomes, ['ok', 'partial', 'ok', 'ok']);
});
