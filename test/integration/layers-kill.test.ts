/** What may happen to a store that builds share: they are killed, or its disk is full. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { hook, openRig, type Result, type Rig, type Started } from '../rig/rig.ts';

const KILLS = 100;
const SETTLE_MS = 20_000;

/** Numbers below 1, always the same for a seed. Source: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Builds of a tiny system, so that they are short. */
async function openSmall(): Promise<Rig> {
  const rig = await openRig();
  const write = (name: string) =>
    hook(
      `mkdir -p "$TMP_MOUNT_PATH/etc"; head -c 100000 /dev/urandom >"$TMP_MOUNT_PATH/etc/${name}"`,
    );
  await rig.element('small', {
    'root.d/10-root': write('root'),
    'extra-data.d/10-data': hook(
      'echo data >"$TMP_HOOKS_PATH/made"; mkdir -p "$TMP_MOUNT_PATH/m" "$DIB_IMAGE_CACHE/m"; mount --bind "$DIB_IMAGE_CACHE/m" "$TMP_MOUNT_PATH/m"',
    ),
    'post-root.d/10-post': write('post'),
    'pre-finalise.d/10-pre': write('pre'),
    'cleanup.d/10-clean': hook('rm "$TMP_MOUNT_PATH/etc/post"'),
  });
  return rig;
}

function start(rig: Rig, name: string, kind: string): Started {
  const args = ['-n', '-t', 'tar', '-o', name, 'tiny', 'small'];
  return rig.start('disk-image-create', args, { env: { KIND: kind } });
}

/** Resolves once the reapers of killed builds have done their work. */
async function settled(rig: Rig): Promise<readonly string[]> {
  const builds = path.join(rig.cache, 'layers/.builds');
  for (const deadline = Date.now() + SETTLE_MS; ; await sleep(50)) {
    const left = await readdir(builds).catch(() => []);
    if (left.length === 0 || Date.now() > deadline) {
      return left;
    }
  }
}

test('SIGKILL at 100 random moments of builds that share a store, two at a time, leaves it whole', async (t) => {
  const seed = Number(process.env.DIBKIT_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`DIBKIT_SEED=${seed}`);
  const random = randomFrom(seed);
  await using rig = await openSmall();
  for (let kills = 0; kills < KILLS; kills += 2) {
    // Now the same, now others; a third of them has been there before.
    const kinds = [`k${Math.floor(random() * 8)}`, `k${Math.floor(random() * 8)}`];
    const pair = kinds.map((kind, index) => ({
      build: start(rig, `image${index}`, kind),
      delayMs: random() * 1500,
    }));
    await Promise.all(
      pair.map(async ({ build, delayMs }) => {
        await Promise.race([sleep(delayMs), build.exit]);
        try {
          process.kill(-build.pid, 'SIGKILL');
        } catch {
          // It was faster.
        }
        await build.exit;
      }),
    );
  }
  assert.deepEqual(await settled(rig), [], `nothing of the builds is left, seed ${seed}`);
  const verified = await rig.run('dibkit', ['cache', 'verify']);
  assert.equal(verified.status, 0, `seed ${seed}: ${verified.stdout}${verified.stderr}`);
  const last = await start(rig, 'last', 'k1').exit;
  assert.equal(last.status, 0, `seed ${seed}: ${last.stderr}`);
  assert.deepEqual(await rig.leaks(), [], `seed ${seed}`);
});

const WITH_SMALL_STORE = `
mount -t tmpfs -o "size=$1" small "$2" || exit 99
verify=$3
shift 3
"$@"
status=$?
"\${2%/*}/dibkit" cache verify >"$verify" 2>&1
echo "status $?" >>"$verify"
exit "$status"
`;

/** Builds three times: plainly, with `keep` in the file `full`, and with `look` in it. */
const UNTIL_FULL = `
mount -t tmpfs -o size=16000k small "$1" || exit 99
store=$1 full=$2
shift 2
"$@" && echo keep >"$full" && "$@" && rm "$store/fill" && echo look >"$full" && "$@"
`;

const SIZES_KIB = [16, 3000, 4800, 5100, 16000];

const FULL_STORE =
  /not kept for the next build: No space left on the device with the layer store, '.*dibkit cache prune/;

/** What a command is run through, for a script of bash with mounts of its own; the command is its last words. */
function withMounts(script: string, ...words: readonly string[]): string[] {
  const namespace = ['unshare', '--mount', '--propagation', 'private'];
  return [...namespace, 'bash', '-c', script, 'mounts', ...words];
}

/** Builds with a store of so many KiB, which must be whole afterwards. */
async function buildWithSmallStore(
  rig: Rig,
  kib: number,
  options: readonly string[],
): Promise<Result> {
  const verify = path.join(rig.dir, 'verified');
  await writeFile(verify, '');
  const result = await rig.run(
    'disk-image-create',
    ['-n', '-t', 'tar', '-o', 'x', ...options, 'tiny', 'small'],
    {
      through: withMounts(WITH_SMALL_STORE, `${kib}k`, rig.cache, verify),
    },
  );
  const said = `${kib} KiB: ${result.stderr}`;
  assert.match(await readFile(verify, 'utf8'), /^status 0$/m, said);
  assert.doesNotMatch(result.stderr, /bug|\n {4}at /);
  return result;
}

test('a disk that is full at any moment of a build is told, and the store stays whole', async () => {
  await using rig = await openSmall();
  const statuses: (number | undefined)[] = [];
  for (const kib of SIZES_KIB) {
    const result = await buildWithSmallStore(rig, kib, ['--no-tmpfs']);
    statuses.push(result.status);
    if (result.status !== 0) {
      assert.equal(result.status, 1, result.stderr);
      assert.match(
        result.stderr,
        /No space left (?:on (?:the )?device|for the image cache in '.*'.* are free)/,
      );
    }
  }
  assert.equal(statuses[0], 1, 'the first cannot have fitted');
  assert.equal(statuses.at(-1), 0, 'the last must have fitted');
});

test('layers made in memory that do not fit on the disk cost the keeping, not the build', async () => {
  await using rig = await openSmall();
  const kept: boolean[] = [];
  for (const kib of SIZES_KIB.slice(1)) {
    const result = await buildWithSmallStore(rig, kib, []);
    assert.equal(result.status, 0, `${kib} KiB: ${result.stderr}`);
    kept.push(!FULL_STORE.test(result.stdout));
  }
  assert.equal(kept[0], false, 'the first cannot have fitted');
  assert.equal(kept.at(-1), true, 'the last must have fitted');
});

test('a store that gets full while layers are chosen or kept costs these, not the build', async () => {
  await using rig = await openSmall();
  const full = path.join(rig.dir, 'full');
  const fill = 'cat /dev/zero >"$DIB_IMAGE_CACHE/fill" 2>&1 || true';
  const when = (word: string) => `[ "$(cat ${full} 2>/dev/null)" = ${word} ]`;
  await rig.element('filling', {
    'fingerprint.d/root/10-fill': hook(
      `if ${when('look')}; then ${fill}; fi; if ${when('keep')}; then echo 'x 2'; else echo 'x 1'; fi`,
    ),
    'root.d/20-fill': hook(`if ${when('keep')}; then ${fill}; fi`),
  });
  const args = ['-n', '-t', 'tar', '-o', 'x', 'tiny', 'small', 'filling'];
  const { status, stdout, stderr } = await rig.run('disk-image-create', args, {
    through: withMounts(UNTIL_FULL, rig.cache, full),
  });
  assert.equal(status, 0, stdout + stderr);
  const room = "No space left on the device with the layer store, '.*dibkit cache prune";
  assert.match(stdout, new RegExp(`Phase root and those after it are not kept .*: ${room}`));
  assert.match(stdout, new RegExp(`Layers are not reused or kept from here on: ${room}`));
});

/** As on most hosts: a link with a long name takes a block there. */
const ON_SMALL_EXT4 = `
truncate --size 64M "$1.img" && mkfs.ext4 -q "$1.img" && mount -o loop "$1.img" "$1" || exit 99
store=$1
shift
"$@"
status=$?
umount "$store" && rm "$store.img" && exit "$status"
`;

const noExt4 = { skip: withoutLoopDevices('ext4') };

test(
  'a store that gets full once layers of the build are used from it costs the keeping',
  noExt4,
  async () => {
    await using rig = await openSmall();
    await rig.element('filling', {
      'extra-data.d/20-fill': hook(`
      until ls "$DIB_IMAGE_CACHE"/layers/*-*/tree/etc >/dev/null 2>&1; do sleep 0.1; done
      cat /dev/zero >"$DIB_IMAGE_CACHE/fill" 2>/dev/null || true
      # What is left is single blocks.
      while printf x 2>/dev/null >"$DIB_IMAGE_CACHE/fill.$SECONDS.$RANDOM"; do :; done
      echo filled >"$TMP_MOUNT_PATH/etc/filled"`),
      'post-root.d/20-look': hook('grep --quiet filled "$TMP_MOUNT_PATH/etc/filled"'),
    });
    const args = ['-n', '-t', 'tar', '-o', 'x', 'tiny', 'small', 'filling'];
    const { status, stdout, stderr } = await rig.run('disk-image-create', args, {
      through: withMounts(ON_SMALL_EXT4, rig.cache),
    });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, FULL_STORE);
  },
);

/** A disk that takes less than it says, as a thin volume or the disk of a virtual machine on a full host. */
const ON_FAULTY_DISK = `
mkdir "$1.disk" && mount -t tmpfs -o size=24M disk "$1.disk" && truncate --size 300M "$1.disk/image" || exit 99
mkfs.ext4 -q -E lazy_itable_init=1 -O ^has_journal "$1.disk/image" && mount -o loop "$1.disk/image" "$1" || exit 99
store=$1
shift
"$@"
status=$?
ls "$store/layers/.images" | sed 's/^/kept image /'
umount --lazy "$store" "$store.disk"
rmdir "$store.disk"
exit "$status"
`;

/** A large copy gets to the disk while later hooks run; small ones do together, beside the images. */
const LOST = [
  { when: 'while hooks run', bytes: '40M', seen: 'torn', goesOn: false },
  { when: 'beside the images', bytes: '26M', seen: 'tree/large', goesOn: true },
];

for (const { when, bytes, seen, goesOn } of LOST) {
  test(
    `no image is made of layers that the disk with the store has lost ${when}`,
    noExt4,
    async () => {
      await using rig = await openSmall();
      await rig.element('large', {
        'root.d/90-large': hook(`head --bytes ${bytes} /dev/urandom >"$TARGET_ROOT/large"`),
        'extra-data.d/20-wait': hook(`
        until ls "$DIB_IMAGE_CACHE"/layers/*-*/${seen} >/dev/null 2>&1 || [ "$SECONDS" -gt 60 ]; do sleep 0.1; done
        echo waited >"$TMP_MOUNT_PATH/etc/waited"`),
        'post-root.d/50-late': hook('echo a late hook runs'),
      });
      const args = ['-n', '-t', 'tgz', '-o', 'lost', 'tiny', 'small', 'large'];
      const { status, stdout, stderr } = await rig.run('disk-image-create', args, {
        through: withMounts(ON_FAULTY_DISK, rig.cache),
      });
      assert.equal(status, 3, stdout + stderr);
      assert.match(stderr, /ERROR: The disk did not take all that was written to the layer store/);
      assert.doesNotMatch(stdout, /^kept image/m);
      assert.equal(stdout.includes('a late hook runs'), goesOn, stdout);
      assert.ok(!(await readdir(rig.out)).includes('lost.tgz'));
    },
  );
}
