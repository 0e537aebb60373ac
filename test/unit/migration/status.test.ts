import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord, SystemRecord } from '../../../src/migration/run-record.ts';
import { renderPage } from '../../../src/migration/status/page.ts';
import { renderStatus } from '../../../src/migration/status/text.ts';
import { statusOf } from '../../../src/migration/status/view.ts';

const REPOSITORY = {
  ...{ id: 'baseos', url: 'https://mirror/repodata/repomd.xml', state: 'read' as const },
  ...{ packages: 100, ignored: 0, durationMs: 5 },
};

const SYSTEM: SystemRecord = {
  ...{ system: 'centos_9-stream', repositories: [REPOSITORY] },
  ...{ listed: 100, known: 90, seeded: 0, inTarget: 7, deferred: 0 },
  architectures: [
    {
      ...{ architecture: 'aarch64', new: 3, submitted: 2, failed: 1, skipped: 0, unknown: 0 },
      ...{ started: '2026-05-02T02:00:10Z', ended: '2026-05-02T02:01:15Z', durationMs: 65_000 },
      log: 'submit-log-centos_9-stream_aarch64-20260502-020010',
    },
  ],
};

const RECORD: RunRecord = {
  ...{ version: 1, sequence: 2, outcome: 'partial', durationMs: 80_000 },
  ...{ started: '2026-05-02T02:00:00Z', ended: '2026-05-02T02:01:20Z' },
  target: { system: 'openeuler_24_03_LTS', repositories: [REPOSITORY] },
  systems: [SYSTEM],
};

const MEMORY = {
  ...{ settled: Date.parse('2026-05-02T02:00:00Z'), next: Date.parse('2026-05-03T02:00:00Z') },
  ...{ expression: '0 2 * * *', timeZone: 'UTC' },
};

test('renderStatus() before anything has happened', () => {
  assert.deepEqual(renderStatus(statusOf([], undefined), 'UTC'), [
    'Scheduler: has not been started yet',
    'Last run: none yet',
  ]);
});

test('renderStatus() has a line for each system and architecture', () => {
  assert.equal(
    renderStatus(statusOf([RECORD], MEMORY), 'Asia/Shanghai').join('\n'),
    [
      "Scheduler: '0 2 * * *' in UTC; next run 2026-05-03 10:00:00",
      'Last run: number 2, 2026-05-02 10:00:00, 1 min 20 s, partial',
      '',
      'Run  Started              System           Architecture  New  Submitted  Failed  Skipped  Unknown    Duration',
      '  2  2026-05-02 10:00:10  centos_9-stream  aarch64         3          2       1        0        0  1 min 05 s',
      '',
    ].join('\n'),
  );
});

test('renderStatus() says what was seeded, and what waits', () => {
  const seeded = { ...RECORD, systems: [{ ...SYSTEM, seeded: 100, deferred: 4 }] };
  const text = renderStatus(statusOf([seeded], MEMORY), 'UTC').join('\n');
  assert.match(
    text,
    /^centos_9-stream: 100 packages of repositories that are new are noted, and not/m,
  );
  assert.match(text, /^centos_9-stream: 4 packages wait for a later run$/m);
});

test('renderStatus() says which repository could not be read, and what stood in', () => {
  const broken: RunRecord = {
    ...RECORD,
    error: 'no space left',
    target: {
      system: 'openeuler_24_03_LTS',
      repositories: [
        { ...REPOSITORY, state: 'kept', error: '404', listRead: '2026-05-01T00:00:00Z' },
      ],
    },
    systems: [
      {
        ...SYSTEM,
        error: 'held back',
        architectures: [],
        repositories: [{ ...REPOSITORY, state: 'failed', error: 'ECONNREFUSED' }],
      },
    ],
  };
  const text = renderStatus(statusOf([broken], undefined), 'UTC').join('\n');
  assert.match(text, /, partial: no space left$/m);
  assert.match(text, /^ {2}2 {2}2026-05-02 02:00:00 {2}centos_9-stream {2}- /m);
  assert.match(text, /^Problem: centos_9-stream: held back$/m);
  assert.match(text, /: repository 'baseos' could not be read: ECONNREFUSED$/m);
  assert.match(text, /could not be read: 404; used the list of 2026-05-01 00:00:00$/m);
});

test('renderStatus() tells of a run that is going on', () => {
  const [line] = renderStatus(statusOf([], { ...MEMORY, running: MEMORY.settled }), 'UTC');
  assert.match(line ?? '', /the run of 2026-05-02 02:00:00 is going on, or was cut short$/);
});

test('renderPage() is one page without references, and escapes what others have written', () => {
  const hostile = `<script>alert("1")</script>&'`;
  const page = renderPage(
    statusOf(
      [{ ...RECORD, error: hostile, systems: [{ ...SYSTEM, system: hostile, error: hostile }] }],
      { ...MEMORY, expression: hostile },
    ),
    { timeZone: 'UTC', now: MEMORY.settled },
  );
  assert.ok(page.startsWith('<!doctype html>'));
  assert.doesNotMatch(page, /<script|src=|href=|@import|url\(/);
  assert.match(page, /&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt;&amp;&#39;/);
  assert.equal(page.match(/<t[dr]\b/g)?.length, page.match(/<\/t[dr]>/g)?.length);
});
