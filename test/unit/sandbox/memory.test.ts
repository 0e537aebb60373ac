/** How much memory a build may use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupsAbove, memoryOf, readMemory } from '../../../src/sandbox/memory.ts';

const MEMINFO = 'MemTotal:        4194304 kB\nMemFree: 1 kB\nMemAvailable:    3000000 kB\n';
const GIB = 1024 ** 3;
const free = { max: 'max\n', current: '5\n', stat: 'anon 1\ninactive_file 1\n' };

const cases = [
  { name: 'no control group', groups: [], total: 4_194_304, available: 3_000_000 },
  { name: 'no limit', groups: [free], total: 4_194_304, available: 3_000_000 },
  {
    name: 'a limit above what there is',
    groups: [{ ...free, max: `${8 * GIB}\n` }],
    total: 4_194_304,
    available: 3_000_000,
  },
  {
    name: 'the tightest of several; idle pages of files can be had',
    groups: [
      free,
      { max: `${2 * GIB}\n`, current: `${GIB}\n`, stat: `inactive_file ${GIB / 2}\n` },
      { max: `${3 * GIB}\n`, current: `${GIB}\n`, stat: '' },
    ],
    total: 2 * 1024 ** 2,
    available: 1.5 * 1024 ** 2,
  },
  {
    name: 'a group over its limit',
    groups: [{ max: `${GIB}\n`, current: `${2 * GIB}\n`, stat: '' }],
    total: 1024 ** 2,
    available: 0,
  },
  {
    name: 'version 1: no limit is a large number',
    groups: [
      { max: '9223372036854771712\n', current: '1\n', stat: '' },
      { max: `${2 * GIB}\n`, current: `${GIB}\n`, stat: `total_inactive_file ${GIB / 2}\n` },
    ],
    total: 2 * 1024 ** 2,
    available: 1.5 * 1024 ** 2,
  },
  {
    name: 'files that cannot be read',
    groups: [{ max: '', current: '', stat: '' }],
    total: 4_194_304,
    available: 3_000_000,
  },
];

for (const { name, groups, total, available } of cases) {
  test(`memoryOf(): ${name}`, () => {
    assert.deepEqual(memoryOf(MEMINFO, groups), { totalKiB: total, availableKiB: available });
  });
}

test('groupsAbove() goes from the root down to the group', () => {
  assert.deepEqual(groupsAbove('/'), ['/']);
  assert.deepEqual(groupsAbove('/a/b.scope'), ['/', '/a', '/a/b.scope']);
});

test('readMemory() reads this machine', async () => {
  const { totalKiB, availableKiB } = await readMemory();
  assert.ok(totalKiB > 0 && availableKiB > 0 && availableKiB <= totalKiB);
});
