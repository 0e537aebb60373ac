import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { outcomes, reasons, reused } from '../rig/layer-events.ts';
import { openPhone } from '../rig/phone.ts';
import { type ElementFile, hook, openRig, type Result, type Rig } from '../rig/rig.ts';

const ALL = ['root', 'extra-data', 'install', 'finalise', 'cleanup'];

/** An element with a hook in most phases, which use files, variables and mounts. */
async function openLayered(): Promise<Rig> {
  const rig = await openRig();
  await rig.element('layered', {
    'environment.d/10-layered': 'export LAYERED=1\numask 027\n',
    'extra-data.d/10-data': hook(`
      echo data >"$TMP_HOOKS_PATH/made"
      mkdir -p "$DIB_IMAGE_CACHE/shared" "$TMP_MOUNT_PATH/var/shared"
      mount --bind "$DIB_IMAGE_CACHE/shared" "$TMP_MOUNT_PATH/var/shared"`),
    'install.d/10-copy': hook(
      'cat /tmp/in_target.d/made >/etc/made; cat "$(dirname "$0")/../static/file" >/etc/static',
    ),
    'static/file': 'one\n',
    'static/unread': 'one\n',
    'finalise.d/10-last': hook('umask >/etc/last; echo "$LAYERED" >>/etc/last; rm /etc/made'),
    'cleanup.d/10-beside': hook(`mkdir -p "$IMAGE_NAME.d"; echo beside >"$IMAGE_NAME.d/file"
      echo boots >"$IMAGE_NAME-boot.iso"`),
  });
  return rig;
}

function build(rig: Rig, ...more: readonly string[]): Promise<Result> {
  return rig.run('disk-image-create', ['-n', '-t', 'tar', '-o', 'it', ...more, 'tiny', 'layered']);
}

async function built(rig: Rig, ...more: readonly string[]): Promise<Result> {
  const result = await build(rig, ...more);
  assert.equal(result.status, 0, result.stdout + result.stderr);
  return result;
}

/** The hooks of each layer of a phase that a build has kept. */
function partsOf({ events }: Result, phase: string): readonly (readonly string[])[] {
  return events.flatMap((event) =>
    event.kind === 'layer' && event.outcome === 'kept' && event.phase === phase
      ? [event.hooks]
      : [],
  );
}

test('a build with nothing changed runs no hook, and gives the same image and what was beside it', async () => {
  await using rig = await openLayered();
  await built(rig);
  const image = await readFile(path.join(rig.out, 'it.tar'));
  await rm(path.join(rig.out, 'it.d'), { recursive: true });
  await rm(path.join(rig.out, 'it-boot.iso'));
  const again = await built(rig);
  assert.equal(await readFile(path.join(rig.out, 'it.d/file'), 'utf8'), 'beside\n');
  assert.equal(await readFile(path.join(rig.out, 'it-boot.iso'), 'utf8'), 'boots\n');
  assert.deepEqual(outcomes(again), reused(...ALL));
  assert.deepEqual(
    again.events.filter(({ kind }) => kind === 'hook-start'),
    [],
  );
  assert.ok(image.equals(await readFile(path.join(rig.out, 'it.tar'))));
  const plain = await built(rig, '--no-cache');
  assert.deepEqual(outcomes(plain), []);
  assert.ok(image.equals(await readFile(path.join(rig.out, 'it.tar'))), 'as without layers');
});

test('images that a build has made of its layers are not made again by the next one', async () => {
  await using rig = await openLayered();
  const steps = ({ events }: Result): readonly string[] =>
    events.flatMap((event) => (event.kind === 'step-start' ? [event.step] : []));
  assert.ok(steps(await built(rig, '-t', 'tgz')).includes('write tgz'));
  const image = await readFile(path.join(rig.out, 'it.tgz'));
  const again = steps(await built(rig, '-t', 'tgz'));
  assert.ok(again.includes('reuse images') && !again.includes('write tgz'), again.join('\n'));
  assert.deepEqual(await readFile(path.join(rig.out, 'it.tgz')), image);
});

test('only what has read a changed file runs anew, and what stands on it', async () => {
  await using rig = await openLayered();
  await built(rig);
  const element = path.join(rig.elements, 'layered');
  await writeFile(path.join(element, 'static/unread'), 'two\n');
  assert.deepEqual(outcomes(await built(rig)), reused(...ALL));

  await writeFile(path.join(element, 'static/file'), 'two\n');
  const changed = await built(rig);
  assert.deepEqual(outcomes(changed), [
    ...reused('root', 'extra-data'),
    'install: run',
    'finalise: run',
    'cleanup: run',
  ]);
  assert.equal(reasons(changed)[0], 'the file static/file changed');
  await rig.run('dibkit', ['cache', 'verify']);
});

test('what elements say in fingerprint.d decides, whether it can be asked or not', async () => {
  await using rig = await openLayered();
  const input = path.join(rig.dir, 'input');
  await writeFile(input, 'one\n');
  await rig.element('asking', {
    'fingerprint.d/install/10-input': hook(`
      if [ -n "\${DIB_OFFLINE:-}" ]; then echo 'the-input offline'; exit 0; fi
      echo "the-input $(cat ${input})"`),
  });
  const run = (...more: readonly string[]): Promise<Result> => built(rig, ...more, 'asking');
  await run();
  assert.deepEqual(outcomes(await run()), reused(...ALL));
  await writeFile(input, 'two\n');
  assert.deepEqual(outcomes(await run('--offline')), reused(...ALL));
  assert.equal(reasons(await run())[0], 'the-input changed');
  await writeFile(input, 'unknown\n');
  await run();
  assert.equal(reasons(await run())[0], 'the-input changed');
});

test('--cache-from runs a phase and the rest anew, --explain says so without building', async () => {
  await using rig = await openLayered();
  await built(rig);
  const anew = await built(rig, '--cache-from', 'install');
  assert.deepEqual(outcomes(anew).slice(0, 3), [...reused('root', 'extra-data'), 'install: run']);
  assert.deepEqual(outcomes(await built(rig)), reused(...ALL));

  await writeFile(path.join(rig.elements, 'layered/static/file'), 'three\n');
  const before = await rig.outputs();
  const explained = await build(rig, '--explain');
  assert.equal(explained.status, 0, explained.stderr);
  assert.match(explained.stdout, /^extra-data +reused/m);
  assert.match(explained.stdout, /^install +runs +the file static\/file changed$/m);
  const without = await build(rig, '--explain', '--no-cache');
  assert.match(without.stdout, /^root +runs +--no-cache .*\n(?:\S+ +runs .*\n)+$/);
  assert.deepEqual(await rig.outputs(), before);
});

test('--resume goes on where a build has failed, and the failure says so', async () => {
  await using rig = await openLayered();
  await rig.element('failing', { 'finalise.d/20-fail': hook('exit 3') });
  const failed = await build(rig, 'failing');
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /with --resume: what was done before is kept\n/);
  const { stderr: told } = await build(rig, '--explain', '--resume', 'failing');
  assert.match(told, /^Resuming the build that failed in finalise$/m);
  await rig.element('failing', { 'finalise.d/20-fail': hook('true') });
  const mended = await built(rig, '--resume', 'failing');
  assert.deepEqual(outcomes(mended), [
    ...reused('root', 'extra-data', 'install'),
    'finalise: run',
    'cleanup: run',
  ]);
  assert.match(mended.stdout, /Resuming the build that failed in finalise/);
});

test('what somebody has looked into is not kept', async () => {
  await using rig = await openLayered();
  await rig.element('failing', { 'finalise.d/20-fail': hook('exit 3') });
  const env = { break: 'before-install', break_cmd: 'true' };
  const args = ['-n', '-t', 'tar', '-o', 'it', 'tiny', 'layered', 'failing'];
  const stopped = await rig.run('disk-image-create', args, { env });
  assert.equal(stopped.status, 1, stopped.stderr);
  assert.match(
    stopped.stderr,
    /--resume: what was done is kept up to phase extra-data, and nothing behind it: the build stopped there\n/,
  );
  await rig.element('failing', { 'finalise.d/20-fail': hook('true') });
  const after = await built(rig, '--resume', 'failing');
  assert.deepEqual(outcomes(after).slice(0, 3), [...reused('root', 'extra-data'), 'install: run']);
});

test('a file system that a hook has mounted is not lost: nothing is kept from there on', async () => {
  await using rig = await openLayered();
  const mounting = 'mkdir -p "$TMP_MOUNT_PATH/x"; mount -t tmpfs x "$TMP_MOUNT_PATH/x"';
  await rig.element('mounting', {
    // Nor does a store that is not in order hide why the build failed.
    'extra-data.d/20-mount': hook(`${mounting}; sleep 2.1
      cd "$DIB_IMAGE_CACHE/layers"; mv .locks was; touch .locks`),
    'extra-data.d/30-fail': hook('exit 3'),
  });
  const failed = await build(rig, 'mounting');
  assert.match(
    failed.stderr,
    /kept up to phase root, and nothing behind it: a hook has mounted \/x \(tmpfs\)\n/,
  );
  assert.match(failed.stdout, /Warning: Not all layers may be found by the next build: ENOTDIR/);
  await rm(path.join(rig.cache, 'layers/.locks'));
  await rename(path.join(rig.cache, 'layers/was'), path.join(rig.cache, 'layers/.locks'));
  await rig.element('mounting', {
    'extra-data.d/20-mount': hook(mounting),
    'extra-data.d/30-fail': hook('true'),
    'install.d/20-use': hook('echo here >/x/file'),
    'finalise.d/20-gone': hook('[ ! -e /x/file ]'),
  });
  const first = await built(rig, 'mounting');
  assert.match(first.stdout, /not kept for the next build: a hook has mounted \/x \(tmpfs\)/);
  const second = await built(rig, 'mounting');
  assert.deepEqual(outcomes(second), ['root: reused', 'extra-data: run']);
});

test('a device that would stand for a removed file in a layer is in the image, and nothing is kept', async () => {
  await using rig = await openLayered();
  await rig.element('device', { 'root.d/50-device': hook('mknod "$TARGET_ROOT/zero" c 0 0') });
  const first = await built(rig, 'device');
  assert.match(first.stdout, /are not kept for the next build: a device 0:0 is in it/);
  const image = await readFile(path.join(rig.out, 'it.tar'));
  assert.ok(image.includes('./zero'));
  await built(rig, '--no-cache', 'device');
  assert.ok(image.equals(await readFile(path.join(rig.out, 'it.tar'))), 'as without layers');
});

test('a file that a hook has made immutable stays so, and nothing is kept from there on', async () => {
  await using rig = await openLayered();
  await rig.element('fixed', {
    'extra-data.d/20-fix': hook(`conf=$TMP_MOUNT_PATH/etc/resolv.conf
      rm "$conf"; echo "mine for good" >"$conf"; chattr +i "$conf" || true`),
  });
  const first = await built(rig, 'fixed');
  const image = await readFile(path.join(rig.out, 'it.tar'));
  // Not every kernel can, in memory.
  const says = /not kept .* has made \/etc\/resolv\.conf immutable/.test(first.stdout);
  assert.equal(image.includes('mine for good'), says, first.stdout);
  await built(rig, '--no-cache', 'fixed');
  assert.ok(image.equals(await readFile(path.join(rig.out, 'it.tar'))), 'as without layers');
});

test('a hook that leaves a process that makes and removes directories costs the layers, not the build', async () => {
  await using rig = await openLayered();
  await rig.element('leaving', {
    'root.d/50-leave': hook(
      `( cd "$TARGET_ROOT"; while :; do mkdir -p x/{1..3000}; rm -r x; done ) >/dev/null 2>&1 &`,
    ),
  });
  const left = await built(rig, 'leaving');
  assert.match(left.stdout, /Phase root and those after it .*: a process that a hook left runs/);
});

test('long hooks are not repeated because a later one has changed, and hooks do not notice the cut', async () => {
  await using rig = await openLayered();
  const later = (word: string): Record<string, ElementFile> => ({
    'install.d/20-long': hook('sleep 1.1; echo long >/etc/long'),
    'install.d/25-too': hook('sleep 1'),
    'install.d/30-later': hook(`
      echo ${word} >/etc/later
      [ "$LAYERED $(umask) $(ulimit -Sn) $(ulimit -Hn)" = '1 0027 1200 1300' ]
      [ -e /proc/self/status ] && [ -c /dev/null ] && [ -e /tmp/in_target.d/made ]
      [[ "$(</proc/self/mountinfo)" = *' /var/shared '* ]]`),
    'environment.d/20-limits': 'ulimit -Sn 1200\nulimit -Hn 1300\n',
  });
  await rig.element('long', later('one'));
  const parts = partsOf(await built(rig, 'long'), 'install');
  await rig.element('long', later('two'));
  const changed = await built(rig, 'long');
  const ran = changed.events.flatMap((event) => (event.kind === 'hook-start' ? event.hook : []));
  assert.ok(ran.includes('30-later') && !ran.includes('20-long'), ran.join(' '));
  // A machine that is slow may have cut between the two already.
  const isSlow = parts.some((hooks) => hooks.at(-1) === '20-long');
  assert.ok(isSlow || !ran.includes('25-too'), ran.join(' '));
  const sourced = changed.events.filter(
    (event) => event.kind === 'environment-file' && event.path.includes('install.d'),
  );
  assert.equal(new Set(sourced.map((event) => JSON.stringify(event))).size, sourced.length);
});

test('in the last phases a hook of a second is long', async () => {
  await using rig = await openLayered();
  const hooks = (word: string): Record<string, ElementFile> => ({
    'finalise.d/20-second': hook('sleep 1.1; echo second >/etc/second'),
    'finalise.d/30-late': hook(`echo ${word} >/etc/late`),
  });
  await rig.element('late', hooks('one'));
  await built(rig, 'late');
  await rig.element('late', hooks('two'));
  const changed = await built(rig, 'late');
  const ran = changed.events.flatMap((event) => (event.kind === 'hook-start' ? event.hook : []));
  assert.ok(ran.includes('30-late') && !ran.includes('20-second'), ran.join(' '));
});

test('a phase goes on in the same layer where a process that a long hook left is in the tree', async () => {
  await using rig = await openLayered();
  await rig.element('leaving', {
    'root.d/50-names': hook('cd "$TARGET_ROOT/etc"; cp ../bin/busybox box; ln box sleep'),
    // The program that runs is a file whose names have to be brought together.
    'install.d/20-long': hook(
      'sleep 2.1; chmod 700 /etc/box; (cd /etc; exec /etc/sleep 1000 >/dev/null 2>&1) & echo $! >/etc/left',
    ),
    'install.d/30-later': hook(`
      [ -e /proc/self/status ] && [ -e /tmp/in_target.d/made ]
      kill "$(</etc/left)"; wait`),
  });
  const parts = partsOf(await built(rig, 'leaving'), 'install');
  const [left = []] = parts.filter((hooks) => hooks.includes('20-long'));
  assert.ok(left.includes('30-later'), JSON.stringify(parts));
  assert.deepEqual(outcomes(await built(rig, 'leaving')), reused(...ALL));
});

test('two builds of the same at once make each layer once', async () => {
  await using rig = await openLayered();
  await using phone = await openPhone();
  await rig.element('calling', { 'root.d/90-call': phone.hook('root') });
  const start = (name: string) =>
    rig.start('disk-image-create', ['-n', '-t', 'tar', '-o', name, 'tiny', 'layered', 'calling']);
  const first = start('first');
  const call = await phone.next('root');
  const second = start('second');
  await second.event((event) => event.kind === 'lock-wait');
  call.exit(0);
  const [one, two] = await Promise.all([first.exit, second.exit]);
  assert.deepEqual([one.status, two.status], [0, 0], one.stderr + two.stderr);
  assert.equal(phone.unanswered, 0);
  assert.equal(outcomes(two)[0], 'root: reused');
});

test('a build whose tree is mounted goes on from a layer that another has made meanwhile', async () => {
  await using rig = await openLayered();
  await using phone = await openPhone();
  await rig.element('calling', {
    'root.d/90-call': phone.hook('root'),
    'fingerprint.d/extra-data/10-ask': phone.hook('ask'),
  });
  const start = (name: string) =>
    rig.start('disk-image-create', ['-n', '-t', 'tar', '-o', name, 'tiny', 'layered', 'calling']);
  const first = start('first');
  const call = await phone.next('root');
  const second = start('second');
  await second.event((event) => event.kind === 'lock-wait');
  call.exit(0);
  const asked = [await phone.next('ask'), await phone.next('ask')];
  const answer = (name: string): void =>
    asked.find(({ environment }) => environment.IMAGE_NAME?.endsWith(name))?.exit(0);
  answer('second');
  const two = await second.exit;
  assert.equal(two.status, 0, two.stderr);
  answer('first');
  const one = await first.exit;
  assert.equal(one.status, 0, one.stderr);
  assert.deepEqual(outcomes(one), ['root: run', ...reused(...ALL.slice(1, 4)), 'cleanup: run']);
  assert.deepEqual(outcomes(two), ['root: reused', ...ALL.slice(1).map((name) => `${name}: run`)]);
  const [image, other] = await Promise.all(
    ['first.tar', 'second.tar'].map((name) => readFile(path.join(rig.out, name))),
  );
  assert.ok(other !== undefined && image?.equals(other));
});

test('dibkit cache lists, shows, verifies and prunes the store, but not what a build uses', async () => {
  await using rig = await openLayered();
  await using phone = await openPhone();
  await built(rig);
  const rootKey = async (): Promise<string> => {
    const listed = await rig.run('dibkit', ['cache', 'ls', '--json']);
    const entries = JSON.parse(listed.stdout) as { key: string; phase?: string }[];
    return entries.find(({ phase }) => phase === 'root')?.key ?? '';
  };
  const root = await rootKey();
  const unknown = await rig.run('dibkit', ['cache', 'show', 'none']);
  assert.deepEqual([unknown.status, unknown.stdout], [2, '']);
  assert.match(
    unknown.stderr,
    /^ERROR: There is no layer 'none' in '.*'\n(.|\n)*dibkit cache ls lists them/,
  );
  const any = await rig.run('dibkit', ['cache', 'show', '']);
  assert.equal(any.status, 2);
  assert.match(any.stderr, /^ERROR: '' could be any of [-0-9a-f]+, [-0-9a-f]+/);
  const shown = await rig.run('dibkit', ['cache', 'show', root.slice(0, 12)]);
  assert.equal(JSON.parse(shown.stdout).phase, 'root');
  const fine = await rig.run('dibkit', ['cache', 'verify']);
  assert.equal(fine.status, 0, fine.stdout);

  await rig.element('waiting', { 'install.d/20-call': phone.hook('install') });
  const running = rig.start('disk-image-create', ['-n', '-t', 'tar', 'tiny', 'layered', 'waiting']);
  const call = await phone.next('install');
  await rig.run('dibkit', ['cache', 'prune', '--all']);
  const busy = await rig.run('dibkit', ['cache', 'prune', root]);
  assert.equal(busy.status, 5, busy.stdout);
  assert.match(busy.stderr, /Cannot remove \S+: a running build uses that\b/);
  const left = await rig.run('dibkit', ['cache', 'ls']);
  assert.match(left.stdout, /root .*\(in use\)/);
  assert.doesNotMatch(left.stdout, /cleanup/);
  call.exit(0);
  assert.equal((await running.exit).status, 0);

  const other = await rootKey();
  await writeFile(path.join(rig.cache, 'layers', other, 'tree/added'), 'x\n');
  const broken = await rig.run('dibkit', ['cache', 'verify']);
  assert.equal(broken.status, 4);
  assert.match(broken.stdout, new RegExp(`${other}: its tree was changed`));
  const [, next = ''] = /: dibkit (cache prune \S+)$/m.exec(broken.stdout) ?? [];
  const removed = await rig.run('dibkit', next.split(' '));
  assert.equal(removed.status, 0, removed.stderr);
  const mended = await rig.run('dibkit', ['cache', 'verify']);
  assert.deepEqual([mended.status, mended.stdout], [0, '0 layers, 0 faults\n']);
  assert.deepEqual(
    (await readdir(path.join(rig.cache, 'layers'))).filter((name) => !name.startsWith('.')),
    [],
  );
});

const SLIPS: readonly (readonly [words: readonly string[], status: number, says: RegExp])[] = [
  [['prune', '--max-size', ''], 2, /^ERROR: --max-size must be a number, zero or above: ''/],
  [['prune', '--all', '--older-than', '3'], 2, /^ERROR: Cannot remove by --all and --older-than/],
  [['prune', '1', '--all'], 2, /^ERROR: Cannot remove by --all and '1' at once/],
  [['ls', '--image-cache', ''], 2, /^ERROR: --image-cache must be a directory: ''/],
  [
    ['ls', '--image-cache', '/dev/null'],
    2,
    /^ERROR: Cannot look for layers in '\/dev\/null\/layers'/,
  ],
  [['verify', 'vm'], 2, /dibkit cache verify --again vm$/m],
  [['verify', '--again', 'nosuch'], 2, /Cannot find the element 'nosuch'/],
  [['ls'], 0, /^Nothing is kept: there is no '.*\/layers' yet$/m],
  [['prune', '--all'], 0, /^Nothing to remove: there is no '.*\/layers' yet$/m],
  [['verify'], 0, /^0 layers, 0 faults: there is no '.*\/layers' yet$/m],
];

test('a slip at dibkit cache is told and removes nothing, and who looks makes no store', async () => {
  await using rig = await openRig();
  await Promise.all(
    SLIPS.map(async ([words, status, says]) => {
      const { stdout, stderr, ...ended } = await rig.run('dibkit', ['cache', ...words]);
      assert.deepEqual([words, ended.status], [words, status], stderr);
      assert.match(status === 0 ? stdout : stderr, says);
    }),
  );
  assert.deepEqual(await readdir(rig.cache), []);
});

test('dibkit cache verify --again finds what an element does not declare', async () => {
  await using rig = await openRig();
  const outside = path.join(rig.dir, 'outside');
  await writeFile(outside, 'before\n');
  await rig.element('reads-outside', {
    'extra-data.d/50-read': hook(`cp ${outside} "$TMP_MOUNT_PATH/etc/outside"`),
  });
  const build = ['-n', '--', 'tiny', 'reads-outside'];
  // Layers are what this is about, and nobody is asked anything.
  const env = { DIB_NO_LAYERS: '1', break: 'before-root' };
  const other = path.join(rig.dir, 'other');
  const verify = ['cache', 'verify', '--image-cache', other, '--again', '--', ...build];
  const again = () => rig.run('dibkit', verify, { env });
  const same = await again();
  assert.equal(same.status, 0, `${same.stdout}${same.stderr}`);
  assert.match(same.stdout, /What the layers have is what a new build makes/);
  assert.ok((await readdir(path.join(other, 'layers'))).some((name) => name.includes('-')));
  await writeFile(outside, 'after\n');
  const stale = await again();
  assert.equal(stale.status, 4, `${stale.stdout}${stale.stderr}`);
  assert.match(stale.stdout, /etc\/outside/);
  assert.match(stale.stdout, /Some element depends on what it does not declare/);
});

test('a layer that a loss of power has torn is not used; one that is whole is', async () => {
  await using rig = await openLayered();
  const first = await built(rig);
  assert.equal(outcomes(first)[0], 'root: run');
  const listed = await rig.run('dibkit', ['cache', 'ls', '--json']);
  const entries = JSON.parse(listed.stdout) as { key: string; phase?: string }[];
  const root = path.join(
    rig.cache,
    'layers',
    entries.find(({ phase }) => phase === 'root')?.key ?? '',
  );
  // As if the machine had started anew since.
  const record = path.join(root, 'layer.json');
  const before = await readFile(record, 'utf8');
  await writeFile(record, before.replace(/"boot":"[^"]*"/, '"boot":"another"'));
  assert.equal(outcomes(await built(rig))[0], 'root: reused');

  await rm(path.join(root, 'whole'));
  await truncate(path.join(root, 'tree/etc/os-release'));
  const torn = await built(rig);
  assert.equal(outcomes(torn)[0], 'root: run');
  assert.match(torn.stdout, /The layer [0-9a-f-]+ was torn when the machine stopped/);
  assert.equal(outcomes(await built(rig))[0], 'root: reused');
});
