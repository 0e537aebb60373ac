import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hook, openRig } from '../rig/rig.ts';

const MEASURE = fileURLToPath(new URL('../fixtures/measure-layer.mjs', import.meta.url));

/** A layer `from` in memory, without attributes, and one `marked`, with them; $1 is what measures. */
const LAYERS = `set -eu
measure=$1
mount -t tmpfs memory "$PWD"
cd "$PWD"
mkdir -p from/tree/etc from/tree/closed marked tmpfs ramfs bin
mount -t tmpfs tmpfs tmpfs
mount -t ramfs ramfs ramfs
echo text >from/tree/etc/file
truncate -s 1M from/tree/etc/sparse
cp -a from/tree marked/tree
setfattr -n trusted.overlay.opaque -v y marked/tree/etc
setfattr -n user.note -v kept marked/tree/etc/file
`;

async function printedBy(script: string): Promise<readonly string[]> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'dibkit-copy-'));
  await mkdir(path.join(dir, 'at'));
  try {
    const measure = `"${process.execPath}" "${MEASURE}"`;
    const argv = ['--mount', '--propagation', 'private', 'sh', '-c', `${LAYERS}${script}`, 'sh'];
    const options = { cwd: path.join(dir, 'at'), encoding: 'utf8' } as const;
    return execFileSync('unshare', [...argv, measure], options)
      .trim()
      .split('\n');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test('a layer is copied with all its attributes, or the copy fails', async () => {
  const printed = await printedBy(`
    eval "$measure copy from ramfs/from"
    eval "$measure measure from/tree"
    eval "$measure copy marked tmpfs/marked"
    getfattr --only-values -n trusted.overlay.opaque tmpfs/marked/tree/etc; echo
    getfattr --only-values -n user.note tmpfs/marked/tree/etc/file; echo
    eval "$measure copy marked ramfs/marked"`);
  const [onRamfs, measured, copied, opaque, note, kind, ...said] = printed;
  // Where there are no attributes, a file system that knows none will do. Blocks are its own business.
  assert.equal(JSON.parse(onRamfs ?? '').listing, JSON.parse(measured ?? '').listing);
  assert.equal(JSON.parse(copied ?? '').entries, JSON.parse(measured ?? '').entries);
  assert.deepEqual([opaque, note, kind], ['y', 'kept', 'tool']);
  assert.match(said.join('\n'), /^cp: setting attributes? .*: Operation not supported$/m);
});

test('a tree that cannot be read to its end has no measures', async () => {
  const printed = await printedBy(`
    chown 1 from/tree/closed; chmod 700 from/tree/closed
    printf '#!/bin/sh\\nexec setpriv --bounding-set -dac_override,-dac_read_search %s "$@"\\n' "$(command -v find)" >bin/find
    chmod +x bin/find
    export PATH="$PWD/bin:$PATH"
    eval "$measure measure from/tree"`);
  assert.equal(printed.length, 2, printed.join('\n'));
  assert.match(printed[1] ?? '', /^Cannot list 'from\/tree': .*find: .*closed.*Permission denied$/);
});

test('a layer whose contents may not have reached the disk is not used after the machine has stopped', async () => {
  await using rig = await openRig();
  const bin = path.join(rig.dir, 'bin');
  await mkdir(bin);
  const refuses = path.join(rig.dir, 'refuses');
  const sync = `#!/bin/sh\n[ ! -e '${refuses}' ] && PATH=\${PATH#*:} exec sync "$@"\n`;
  await writeFile(path.join(bin, 'sync'), sync, { mode: 0o755 });
  const env = { PATH: `${bin}:${rig.environment().PATH}` };
  const build = async (): Promise<string> => {
    const args = ['-n', '-t', 'tar', '--no-tmpfs', 'tiny'];
    const result = await rig.run('disk-image-create', args, { env });
    assert.equal(result.status, 0, result.stdout + result.stderr);
    return result.stdout;
  };
  const store = path.join(rig.cache, 'layers');
  const layers = async (): Promise<readonly string[]> =>
    (await readdir(store)).filter((name) => !name.startsWith('.'));
  const unsynced = async (): Promise<readonly string[]> =>
    (await layers()).filter((key) => existsSync(path.join(store, key, 'unsynced')));

  await writeFile(refuses, '');
  await build();
  await rm(refuses);
  const made = await layers();
  assert.deepEqual(await unsynced(), made);
  // Whoever uses them next does it.
  assert.match(await build(), /Reusing root\.d/);
  assert.deepEqual([await layers(), await unsynced()], [made, []]);

  const [first = ''] = made.filter((key) => recordOf(key).includes('"phase":"root"'));
  await writeFile(
    path.join(store, first, 'layer.json'),
    recordOf(first).replace(/"boot":"[^"]*"/, '"boot":"x"'),
  );
  assert.match(await build(), /Reusing root\.d/);
  await rm(path.join(store, first, 'whole'));
  await writeFile(path.join(store, first, 'unsynced'), '');
  const after = await build();
  assert.match(after, /was torn when the machine stopped/);
  assert.match(after, /Running root\.d/);

  function recordOf(key: string): string {
    return readFileSync(path.join(store, key, 'layer.json'), 'utf8');
  }
});

test('a layer that has got into the store is used there, and given back by the memory', async () => {
  await using rig = await openRig();
  // Looks until what the first phase made is gone; the tree has it all the same.
  const look = hook(`
    made=$TMP_BUILD_DIR/layers/1/tree/etc/made-early
    tries=0
    while [ -e "$made" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ ! -e "$made" ] && echo "in memory no more"
    cat "$TMP_MOUNT_PATH/etc/made-early" "$TMP_MOUNT_PATH/etc/made-late"
    grep " $TMP_MOUNT_PATH " /proc/self/mountinfo`);
  await rig.element('early', {
    'root.d/50-early': hook('echo early >"$TMP_MOUNT_PATH/etc/made-early"'),
    'extra-data.d/50-late': hook(`
      until cat "$DIB_IMAGE_CACHE"/layers/*/tree/etc/made-early 2>/dev/null; do sleep 0.1; done
      echo late >"$TMP_MOUNT_PATH/etc/made-late"`),
    'pre-install.d/50-nothing': hook(':'),
    // More than that is an error to 32-bit programs without large files.
    'post-root.d/50-inodes': hook(
      '! find "$TMP_MOUNT_PATH" -xdev -printf "%i %p\\n" | awk \'$1 >= 2 ^ 32\' | grep .',
    ),
    'cleanup.d/50-look': look,
  });
  const build = await rig.run('disk-image-create', ['-n', '-t', 'tar', 'tiny', 'early']);
  assert.equal(build.status, 0, build.stdout + build.stderr);
  assert.match(build.stdout, /in memory no more\n.*early\n.*late\n/);
  assert.match(build.stdout, /overlay overlay/);
});

test('what is removed between the phases is in no layer, wherever the layers lie', async () => {
  await using rig = await openRig();
  await rig.element('found', {
    'root.d/90-found': hook('cd "$TARGET_ROOT"; mkdir lost+found; touch -d @1000000000 lost+found'),
    'install.d/50-more': hook('echo more >/etc/more'),
    'pre-finalise.d/50-look': hook(
      '[ -d "$TMP_MOUNT_PATH/lost+found" ]; echo more >"$TMP_MOUNT_PATH/etc/even-more"',
    ),
  });
  const images: Buffer[] = [];
  for (const options of [[], ['--no-tmpfs']]) {
    const cache = { DIB_IMAGE_CACHE: path.join(rig.dir, `cache${options.length}`) };
    const args = ['-n', '-t', 'oci', '-o', 'x', ...options, 'tiny', 'found'];
    const env = { ...cache, OVERWRITE_OLD_IMAGE: '1' };
    const { status, stderr } = await rig.run('disk-image-create', args, { env });
    assert.equal(status, 0, stderr);
    images.push(await readFile(path.join(rig.out, 'x.oci')));
  }
  const [inMemory, onDisk] = images;
  assert.ok(onDisk !== undefined && inMemory?.equals(onDisk));
});
