/** Whatever hooks read, list, write or fetch counts, and nothing else does. */
import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { outcomes, reasons, reused } from '../rig/layer-events.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

async function built(rig: Rig, ...args: readonly string[]): Promise<Result> {
  return builtThrough([], rig, ...args);
}

async function builtThrough(
  through: readonly string[],
  rig: Rig,
  ...args: readonly string[]
): Promise<Result> {
  const result = await rig.run('disk-image-create', ['-n', '-o', 'it', ...args], { through });
  assert.equal(result.status, 0, result.stdout + result.stderr);
  return result;
}

const said = ({ events }: Result): readonly string[] =>
  events.flatMap((event) => (event.kind === 'output' ? event.line : []));

test('what comes late leaves early phases alone, and what the engine has put in is put in once', async () => {
  await using rig = await openRig();
  const late = (word: string): Parameters<Rig['element']>[1] => ({
    'pre-install.d/10-early': hook('true'),
    'install.d/10-lists': hook('ls "$(dirname "$0")/../post-install.d"'),
    'post-install.d/10-middle': hook('true'),
    'finalise.d/10-slow': hook('sleep 2.1; echo "# ours" >>/etc/fstab'),
    'finalise.d/20-late': hook(
      `echo "${word}: $(grep -c ' / ' /etc/fstab) $(tail -n 1 /etc/fstab)"`,
    ),
  });
  await rig.element('late', late('one'));
  const image = ['-t', 'raw', 'tiny', 'late'];
  assert.ok(said(await built(rig, ...image)).includes('one: 1 # ours'));

  await rig.element('late', { ...late('two'), 'finalise.d/99-new': hook('true') });
  const added = await built(rig, ...image);
  assert.deepEqual(outcomes(added), [
    ...reused('root', 'extra-data', 'pre-install', 'install', 'post-install'),
    'finalise: run',
    'cleanup: run',
  ]);
  assert.ok(said(added).includes('two: 1 # ours'), added.stdout);

  await rig.element('late', { 'post-install.d/20-new': hook('true') });
  const listed = await built(rig, ...image);
  assert.deepEqual(outcomes(listed).slice(2, 4), ['pre-install: reused', 'install: run']);
  assert.equal(reasons(listed)[0], 'the files in post-install.d are others, or its mode');
});

test('a file that a hook has changed, moved or removed without reading it counts', async () => {
  await using rig = await openRig();
  await rig.element('changing', {
    'extra-data.d/10-change': hook(`cd "$TMP_HOOKS_PATH"
      chmod +x bin/tool; echo 'echo more' >>install.d/20-more; mv bin/moved bin/to; rm bin/gone`),
    'install.d/10-tool': hook('/tmp/in_target.d/bin/tool'),
    'install.d/20-more': hook('echo more'),
    'bin/tool': '#!/bin/bash\necho one\n',
    'bin/moved': 'one\n',
    'bin/gone': 'one\n',
  });
  await built(rig, '-t', 'tar', 'tiny', 'changing');
  for (const file of ['bin/tool', 'install.d/20-more', 'bin/moved', 'bin/gone']) {
    await writeFile(path.join(rig.elements, 'changing', file), '#!/bin/bash\necho two\n');
    const explained = await rig.run('disk-image-create', ['-n', '--explain', 'tiny', 'changing']);
    assert.match(explained.stdout, /^extra-data +runs /m, file);
    assert.ok(explained.stdout.includes(`the file ${file} changed`), explained.stdout);
  }
  const changed = await built(rig, '-t', 'tar', 'tiny', 'changing');
  assert.ok(said(changed).includes('two'), 'and the new one is used');
});

test('folders count with their mode and their first file, and so does what a link leads to', async () => {
  await using rig = await openRig();
  const outside = path.join(rig.dir, 'outside');
  await mkdir(outside);
  await writeFile(path.join(outside, 'file'), 'one\n');
  const element = await rig.element('folders', {
    'extra-data.d/10-look': hook(`cd "$TMP_HOOKS_PATH"
      ls pre-finalise.d; cp -a static "$TMP_MOUNT_PATH/"; cat link.d/outside/file`),
    'pre-finalise.d/.hidden': '',
    'static/below/file': 'one\n',
    'link.d/README': '',
  });
  await symlink(outside, path.join(element, 'link.d/outside'));
  await symlink('../static/below', path.join(element, 'link.d/inside'));
  await built(rig, '-t', 'tar', 'tiny', 'folders');
  const explained = async (): Promise<string> => {
    const { stdout } = await rig.run('disk-image-create', ['-n', '--explain', 'tiny', 'folders']);
    return /^extra-data .*/m.exec(stdout)?.[0] ?? stdout;
  };
  assert.match(await explained(), /^extra-data +reused/);
  for (const [change, undo, reason] of [
    [
      () => writeFile(path.join(outside, 'file'), 'two\n'),
      () => writeFile(path.join(outside, 'file'), 'one\n'),
      'the file link.d/outside changed',
    ],
    [
      () => chmod(path.join(element, 'static/below'), 0o700),
      () => chmod(path.join(element, 'static/below'), 0o755),
      'the files in static/below are others, or its mode',
    ],
    [
      () => rig.element('folders', { 'pre-finalise.d/10-first': hook('true') }),
      async () => {},
      'the files in pre-finalise.d are others, or its mode',
    ],
  ] as const) {
    await change();
    const said = await explained();
    assert.ok(said.endsWith(reason), said);
    await undo();
  }
});

test('nothing is kept of what has read an element while somebody edited it', async () => {
  await using rig = await openRig();
  await rig.element('edited', {
    settings: 'one\n',
    'extra-data.d/10-read': hook(`cd "\${ELEMENTS_PATH%%:*}/edited"
      cat settings; echo two >settings`),
  });
  const edited = await built(rig, '-t', 'tar', 'tiny', 'edited');
  assert.match(
    edited.stdout,
    /extra-data .* not kept .*: files in the folders of elements were edited/,
  );
});

/** Runs a command where the temporary directory is on a file system that notes no accesses. */
const WITH_NOATIME = [
  ...['unshare', '--mount', 'sh', '-c'],
  `mount --bind "$TMPDIR" "$TMPDIR" && mount -o remount,bind,noatime "$TMPDIR" && exec "$@"`,
  'sh',
];

test('on a disk without access times too it is noted what hooks on the host and in the target read', async () => {
  await using rig = await openRig();
  await rig.element('reading', {
    'extra-data.d/10-host': hook('echo host one'),
    'install.d/10-target': hook('echo target one'),
  });
  const build = (): Promise<Result> =>
    builtThrough(WITH_NOATIME, rig, '--no-tmpfs', '-t', 'tar', 'tiny', 'reading');
  await build();
  await rig.element('reading', { 'install.d/10-target': hook('echo target two') });
  const target = await build();
  assert.deepEqual(outcomes(target).slice(0, 3), [...reused('root', 'extra-data'), 'install: run']);
  await rig.element('reading', { 'extra-data.d/10-host': hook('echo host two') });
  const host = await build();
  assert.deepEqual(outcomes(host).slice(0, 2), ['root: reused', 'extra-data: run']);
  assert.ok(said(host).includes('host two'));
});

test('nothing is kept where the kernel does not note what is read', async () => {
  await using rig = await openRig();
  await rig.element('unnoted', {
    'root.d/50-noatime': hook(
      'mount -o remount,bind,noatime "$(findmnt -n -o TARGET -T "$TMP_HOOKS_PATH")"',
    ),
  });
  const result = await built(rig, '-t', 'tar', 'tiny', 'unnoted');
  assert.match(result.stdout, /Phase root .* not kept .*: the kernel does not note/);
});

/** A network of its own, in which nobody else opens connections. */
const ALONE = [...['unshare', '--net', 'sh', '-c', 'busybox ip link set lo up && exec "$@"', 'sh']];

test('a connection counts as declared for the element that has spoken, and for those that it needs', async () => {
  await using rig = await openRig();
  // Nobody listens: it is opened all the same.
  const fetch = hook('! : </dev/tcp/127.0.0.1/1');
  const says = (text: string): ReturnType<typeof hook> => hook(`printf '%s\\n' '${text}'`);
  await rig.element('speaking', {
    'element-deps': 'tool\n',
    'fingerprint.d/root/50-mirror': says('mirror one'),
    'root.d/50-own': fetch,
    'fingerprint.d/extra-data/50-mirror': says('mirror one'),
    'fingerprint.d/pre-install/50-file': says('file:/a/key one'),
    'pre-install.d/50-own': fetch,
    'install.d/50-nothing': hook('true'),
  });
  await rig.element('tool', { 'root.d/51-tool': fetch, 'post-install.d/50-tool': fetch });
  await rig.element('beside', {
    'element-deps': 'speaking\n',
    'extra-data.d/50-beside': fetch,
  });
  await builtThrough(ALONE, rig, '-t', 'tar', 'tiny', 'beside');
  const listed = await rig.run('dibkit', ['cache', 'ls', '--json']);
  const keys = (JSON.parse(listed.stdout) as { key: string; phase?: string }[]).filter(
    ({ phase }) => phase !== undefined,
  );
  const shown = await Promise.all(
    keys.map(async ({ key }) => (await rig.run('dibkit', ['cache', 'show', key])).stdout),
  );
  const undeclared = shown
    .map((each) => JSON.parse(each))
    .flatMap(({ phase, undeclaredNetwork }) => (undeclaredNetwork === true ? phase : []));
  assert.deepEqual(undeclared.sort(), ['extra-data', 'post-install', 'pre-install']);
});
