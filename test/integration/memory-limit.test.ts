/** A control group that leaves little memory: layers go on in the store's file system. */
import assert from 'node:assert/strict';
import { access, mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hook, openRig } from '../rig/rig.ts';

const LIMIT = 1024 ** 3;

/** A group of ours with a limit, in whichever version this machine has; undefined where it cannot be made. */
async function limitedGroup(): Promise<string | undefined> {
  for (const [root, file] of [
    ['/sys/fs/cgroup', 'memory.max'],
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ] as const) {
    const group = path.join(root, `dibkit-test-${process.pid}`);
    try {
      await mkdir(group);
      await access(path.join(group, file));
      await writeFile(path.join(group, file), String(LIMIT));
      return group;
    } catch {
      await rmdir(group).catch(() => {});
    }
  }
  return undefined;
}

/** A group is busy for a moment after its last process has ended. */
async function removeGroup(group: string): Promise<void> {
  for (let tries = 100; tries > 0; tries -= 1) {
    const gone = await rmdir(group).then(
      () => true,
      () => false,
    );
    if (gone) {
      return;
    }
    await sleep(50);
  }
}

/**
 * In memory, the lowest layer is the tree itself; in the store's file system it is an upper, as all others, and
 * mounted by a name relative to there.
 */
const EARLY = 'echo "early on $(stat --file-system --format=%T "$TARGET_ROOT")"';
const LATE =
  'sed -n "s|^overlay $TARGET_ROOT .*,upperdir=\\([^,]*\\),.*|upper late \\1|p" /proc/self/mounts';

test('a tree that leaves too little memory goes on in the store, with all layers kept', async (t: TestContext) => {
  const group = await limitedGroup();
  if (group === undefined) {
    t.skip('no control group for memory can be made here');
    return;
  }
  try {
    await using rig = await openRig();
    await rig.element('large', {
      'root.d/50-large': hook(`head -c 480M /dev/zero >"$TARGET_ROOT/large"; ${EARLY}`),
      'cleanup.d/50-small': hook(`rm "$TARGET_ROOT/large"; ${LATE}`),
    });
    const build = (): ReturnType<typeof rig.run> =>
      rig.run(
        'disk-image-create',
        ['-n', '-t', 'tar', '-o', 'x', '--min-tmpfs', '0.5', 'tiny', 'large'],
        { through: ['sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', group] },
      );
    const first = await build();
    assert.equal(first.status, 0, first.stdout + first.stderr);
    assert.match(first.stdout, /early on tmpfs/, 'it begins in memory');
    assert.match(first.stdout, /upper late \.\.\/\d+\/tree/, 'it goes on in the store');
    const again = await build();
    assert.equal(again.status, 0, again.stdout + again.stderr);
    assert.deepEqual(
      again.events.filter(({ kind }) => kind === 'hook-start'),
      [],
      'every layer is in the store',
    );
  } finally {
    await removeGroup(group);
  }
});
