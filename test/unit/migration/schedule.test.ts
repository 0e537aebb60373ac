import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { parseSchedule } from '../../../src/migration/schedule/cron.ts';
import { decide, PUNCTUAL_MS } from '../../../src/migration/schedule/decide.ts';
import { expiredLogs } from '../../../src/migration/schedule/retention.ts';

const DAILY = '0 2 * * *';
const ms = (iso: string): number => Date.parse(iso);
const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');

const DUE: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    'a day like any other',
    'Asia/Shanghai',
    '2026-03-06T12:00:00Z',
    ['2026-03-06T18:00:00Z', '2026-03-07T18:00:00Z'],
  ],
  [
    'clocks go from 02:00 to 03:00 on the 29th',
    'Europe/Berlin',
    '2026-03-28T00:00:00Z',
    ['2026-03-28T01:00:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:00:00Z'],
  ],
  [
    'clocks go from 03:00 to 02:00 on the 25th',
    'Europe/Berlin',
    '2026-10-23T12:00:00Z',
    ['2026-10-24T00:00:00Z', '2026-10-25T00:00:00Z', '2026-10-26T01:00:00Z'],
  ],
  [
    'clocks go from 02:00 to 03:00 on the 8th',
    'America/New_York',
    '2026-03-07T00:00:00Z',
    ['2026-03-07T07:00:00Z', '2026-03-08T07:00:00Z', '2026-03-09T06:00:00Z'],
  ],
  [
    'half an hour comes twice on the 5th',
    'Australia/Lord_Howe',
    '2026-04-03T00:00:00Z',
    ['2026-04-03T15:00:00Z', '2026-04-04T15:30:00Z', '2026-04-05T15:30:00Z'],
  ],
];

for (const [what, zone, from, expected] of DUE) {
  test(`parseSchedule(): 02:00 in ${zone} when ${what}`, () => {
    const schedule = parseSchedule(DAILY, zone);
    const found: string[] = [];
    for (let at = schedule.next(ms(from)); found.length < expected.length; at = schedule.next(at)) {
      found.push(iso(at));
    }
    assert.deepEqual(found, expected);
  });
}

test('parseSchedule(): a local time that daylight saving skips, or repeats, is due once', () => {
  const schedule = parseSchedule('30 2 * * *', 'Europe/Berlin');
  const dueIn = (from: string, to: string): number => {
    let count = 0;
    for (let at = schedule.next(ms(from)); at < ms(to); at = schedule.next(at)) {
      count += 1;
    }
    return count;
  };
  assert.equal(dueIn('2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'), 1);
  assert.equal(dueIn('2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z'), 1);
  assert.equal(dueIn('2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'), 365);
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['0 2 * *', 'UTC', /Cannot use the schedule '0 2 \* \*'/],
  ['99 2 * * *', 'UTC', /Invalid value for minute: 99/],
  ['0 2 30 2 *', 'UTC', /is never due/],
  [DAILY, 'Mars/Phobos', /Cannot use the time zone 'Mars\/Phobos'/],
];
for (const [expression, zone, message] of WRONG) {
  test(`parseSchedule() refuses '${expression}' in ${zone}`, () => {
    assert.throws(
      () => parseSchedule(expression, zone),
      (error: unknown) => {
        assert.ok(error instanceof Failed);
        assert.equal(error.failure.kind, 'config');
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

const UTC = parseSchedule(DAILY, 'UTC');
const DAY = (day: number, time = '02:00:00'): number =>
  ms(`2026-05-${String(day).padStart(2, '0')}T${time}Z`);

const DECISIONS: readonly (readonly [string, number, number, 'run' | 'skip', unknown])[] = [
  ['waits', DAY(1, '12:00:00'), DAY(1), 'run', { kind: 'wait', until: DAY(2) }],
  ['runs on the second', DAY(2), DAY(1), 'skip', { kind: 'run', due: DAY(2), missed: 0 }],
  [
    'is punctual for some minutes',
    DAY(2) + PUNCTUAL_MS,
    DAY(1),
    'skip',
    { kind: 'run', due: DAY(2), missed: 0 },
  ],
  [
    'runs once for three days that were missed',
    DAY(4, '09:00:00'),
    DAY(1),
    'run',
    { kind: 'run', due: DAY(4), missed: 3 },
  ],
  [
    'skips three days that were missed',
    DAY(4, '09:00:00'),
    DAY(1),
    'skip',
    { kind: 'skip', due: DAY(4), missed: 3 },
  ],
  [
    'runs the punctual one although others were missed',
    DAY(4),
    DAY(1),
    'skip',
    { kind: 'run', due: DAY(4), missed: 2 },
  ],
  [
    'does not run again when the clock is set back',
    DAY(1, '23:00:00'),
    DAY(2),
    'run',
    { kind: 'wait', until: DAY(3) },
  ],
  [
    'starts over when the clock was far ahead',
    DAY(1),
    DAY(9),
    'run',
    { kind: 'forget', settled: DAY(9) },
  ],
];
for (const [what, now, settled, policy, expected] of DECISIONS) {
  test(`decide() ${what}`, () => {
    assert.deepEqual(decide(UTC, { now, settled }, policy), expected);
  });
}

test('expiredLogs() goes by the day at the end of the name', () => {
  const names = [
    'submit-log-centos_9-stream_aarch64-20260401-021000',
    'submit-log-centos_9-stream_aarch64-20260402-021000',
    'submit-log-fedora_20200101_x86_64-20260430-021000',
    'submit-log-fedora_40_x86_64',
    'log_crontab_task',
  ];
  assert.deepEqual(expiredLogs(names, 30, new Date(2026, 4, 2, 2)), names.slice(0, 1));
});
