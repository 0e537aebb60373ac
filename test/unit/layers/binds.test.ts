import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hookMounts } from '../../../src/layers/binds.ts';

const PATHS = new Map([['/home/me/cache', '{cache}']]);
const MINE = '/tmp/b/mnt';

/** Lines of /proc/self/mountinfo: a disk at /, the target's overlay, and what is below it. */
function table(...lines: readonly string[]): string {
  return [
    '21 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    `90 21 0:50 / ${MINE} rw - overlay overlay rw`,
    ...lines,
  ].join('\n');
}

test('hookMounts() finds where a bind mount comes from, with placeholders for what varies', () => {
  const lines = table(
    `91 90 254:0 /home/me/cache/apt ${MINE}/var/cache/apt rw,relatime - ext4 /dev/vda rw`,
    `92 90 254:0 /srv/a\\040b ${MINE}/mnt ro,relatime - ext4 /dev/vda rw`,
  );
  assert.deepEqual(hookMounts(lines, { targetRoot: MINE, runPaths: PATHS }), {
    binds: [
      { source: '{cache}/apt', target: 'var/cache/apt', readOnly: false },
      { source: '/srv/a b', target: 'mnt', readOnly: true },
    ],
    others: [],
  });
});

test('hookMounts() passes over what the engine mounts', () => {
  const lines = table(
    `91 90 0:60 / ${MINE}/proc rw - proc proc rw`,
    `92 90 0:6 / ${MINE}/dev rw - devtmpfs udev rw`,
    `93 92 0:61 / ${MINE}/dev/pts rw - devpts devpts rw`,
    `94 90 0:62 / ${MINE}/tmp/in_target.d rw - tmpfs tmpfs rw`,
  );
  assert.deepEqual(hookMounts(lines, { targetRoot: MINE, runPaths: PATHS }), {
    binds: [],
    others: [],
  });
});

test('hookMounts() names what cannot be made again: new file systems, and parts of the tree itself', () => {
  const lines = table(
    `91 90 0:70 / ${MINE}/scratch rw - tmpfs tmpfs rw`,
    `92 90 0:50 /etc ${MINE}/copy rw - overlay overlay rw`,
  );
  assert.deepEqual(hookMounts(lines, { targetRoot: MINE, runPaths: PATHS }).others, [
    '/scratch (tmpfs)',
    '/copy (overlay)',
  ]);
});

test('hookMounts() knows parts of the tree and of the hooks, where both are directories in memory', () => {
  const lines = [
    '21 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '30 21 0:50 / /tmp/b rw - tmpfs tmpfs rw',
    `90 30 0:50 /layers/1/tree ${MINE} rw - tmpfs tmpfs rw`,
    `91 90 0:50 /layers/1/tree/etc ${MINE}/copy rw - tmpfs tmpfs rw`,
    '31 30 0:51 / /tmp/b/in_target.d rw,noatime - tmpfs tmpfs rw',
    `93 90 0:51 /static ${MINE}/static rw - tmpfs tmpfs rw`,
    `94 90 0:51 / ${MINE}/hooks rw - tmpfs tmpfs rw`,
    `92 90 0:50 /shared ${MINE}/shared rw - tmpfs tmpfs rw`,
  ].join('\n');
  const paths = {
    targetRoot: MINE,
    runPaths: PATHS,
    passing: ['/tmp/b/layers', '/tmp/b/in_target.d'],
  };
  assert.deepEqual(hookMounts(lines, paths), {
    binds: [{ source: '/tmp/b/shared', target: 'shared', readOnly: false }],
    others: ['/copy (tmpfs)', '/static (tmpfs)', '/hooks (tmpfs)'],
  });
});

test('hookMounts() finds parts of the tree outside of it, an overlay or a directory in memory', () => {
  const overlay = table(
    '91 21 0:50 /etc /mnt/outside rw - overlay overlay rw',
    '92 21 0:51 / /mnt/other rw - overlay overlay rw',
  );
  const memory = [
    '30 21 0:50 / /tmp/b rw - tmpfs tmpfs rw',
    `90 30 0:50 /layers/1/tree ${MINE} rw - tmpfs tmpfs rw`,
    '91 21 0:50 /layers/1/tree/etc /mnt/outside rw - tmpfs tmpfs rw',
    '92 21 0:50 /layers/1/tree.work /mnt/other rw - tmpfs tmpfs rw',
  ].join('\n');
  for (const lines of [overlay, memory]) {
    assert.deepEqual(hookMounts(lines, { targetRoot: MINE, runPaths: PATHS }), {
      binds: [],
      others: ['a part of the tree on /mnt/outside'],
    });
  }
});
