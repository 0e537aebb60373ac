/** An ordinary user builds the images that root builds, or is told what the administrator must do. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { asOrdinaryUser, FIRST_ID, USER, type UserOptions } from '../rig/ordinary-user.ts';
import { openPhone } from '../rig/phone.ts';
import { hook, openRig, type Result, type Rig, type RunOptions, type Started } from '../rig/rig.ts';

/** Owners, modes and device nodes: what is different for somebody who is not root. */
const OWNERS = {
  'root.d/20-owners': hook(
    [
      'sudo install -d -o 33 -g 33 -m 0700 "$TARGET_ROOT/srv/www"',
      "sudo -n -u '#33' -g '#33' touch \"$TARGET_ROOT/srv/www/page\"",
      'sudo chown 65534:65534 "$TARGET_ROOT/srv/www/page"',
      '[ "$(sudo -i id -u)" = 0 ]',
      'sudo mkdir -p "$TARGET_ROOT/usr/local/bin"',
      'sudo install -m 4755 "$TARGET_ROOT/bin/busybox" "$TARGET_ROOT/usr/local/bin/setuid"',
    ].join('\n'),
  ),
  'install.d/20-devices': hook(
    [
      'mkdir -p /srv/mail',
      'chown 8:12 /srv/mail',
      'echo gone >/dev/null',
      'head -c 4 /dev/urandom >/srv/mail/noise; rm /srv/mail/noise',
      'test -c /dev/zero; test -d /dev/pts; test -e /dev/ptmx; test -r /proc/self/stat; test -d /sys/kernel',
    ].join('\n'),
  ),
};

const ARGS = ['-n', '-t', 'tar,raw,qcow2', '-o', 'image', 'tiny', 'owners'];

/** Names with type, mode and owner, as tar has them. */
function treeOf(rig: Rig): readonly string[] {
  const list = ['--numeric-owner', '-tvf', path.join(rig.out, 'image.tar')];
  return execFileSync('tar', list, { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map(([mode, owner, , , , ...name]) => [mode, owner, ...name].join(' '));
}

function inode(rig: Rig, file: string): string {
  const image = path.join(rig.out, 'image.raw');
  return execFileSync('debugfs', ['-R', `stat ${file}`, image], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** An element that unpacks an archive with a device node in it. */
async function addArchive(rig: Rig): Promise<void> {
  const dir = await rig.element('archive', {
    'root.d/30-archive': hook(
      'mkdir -p "$TARGET_ROOT/srv/archive"; dib-extract "$ARCHIVE" "$TARGET_ROOT/srv/archive"',
    ),
  });
  const content = path.join(rig.dir, 'content');
  await mkdir(content);
  execFileSync('mknod', [path.join(content, 'null'), 'c', '1', '3']);
  await writeFile(path.join(content, 'news'), 'none\n');
  execFileSync('tar', ['-C', content, '-cf', path.join(dir, 'archive.tar'), '.']);
}

/**
 * As /tmp is on many machines: what she binds from there must stay so denied. What she makes is hers in a directory of
 * somebody else, too, and others do not see it.
 */
const DENYING = `
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs "$TMPDIR"
chown root:root "$directory"
chmod 1777 "$directory"
umask 077
`;

async function imageOf(user: boolean): Promise<{ readonly tree: readonly string[] }> {
  await using rig = await openRig();
  await rig.element('owners', OWNERS);
  await addArchive(rig);
  // Hooks that become another user must get to the tree.
  await chmod(rig.dir, 0o755);
  const who = user ? await asOrdinaryUser(rig, { before: DENYING }) : {};
  const args = ['--no-tmpfs', '--no-cache', ...ARGS, 'archive', 'manifests'];
  const result = await rig.run('disk-image-create', args, {
    ...who,
    env: { ...who.env, ARCHIVE: path.join(rig.elements, 'archive/archive.tar') },
  });
  assert.equal(result.status, 0, result.stdout + result.stderr);
  if (user) {
    await assertHers(rig, 'image.d');
    assert.match(inode(rig, '/srv/www'), /Mode: {2}0700[\s\S]*User: {4}33 {3}Group: {4}33/);
    assert.match(inode(rig, '/srv/www/page'), /User: 65534 {3}Group: 65534/);
    assert.match(
      inode(rig, '/usr/local/bin/setuid'),
      /Mode: {2}04755[\s\S]*User: {5}0 {3}Group: {5}0/,
    );
    assert.match(inode(rig, '/srv/mail'), /User: {5}8 {3}Group: {4}12/);
    execFileSync('qemu-img', ['compare', '-q', 'image.qcow2', 'image.raw'], { cwd: rig.out });
    execFileSync('e2fsck', ['-f', '-n', path.join(rig.out, 'image.raw')], { stdio: 'ignore' });
  }
  await rig.assertNothingLeaked();
  return { tree: treeOf(rig) };
}

/** On the host everything that was made belongs to the user. */
async function assertHers(rig: Rig, ...more: readonly string[]): Promise<void> {
  const names = await readdir(rig.out);
  assert.deepEqual(names.sort(), [...more, 'image.qcow2', 'image.raw', 'image.tar']);
  for (const name of names) {
    const { uid, gid } = await stat(path.join(rig.out, name));
    assert.deepEqual({ name, uid, gid }, { name, uid: USER.uid, gid: USER.uid });
  }
}

test("an ordinary user's image has the owners and modes that root's has", async () => {
  const hers = await imageOf(true);
  const roots = await imageOf(false);
  // Device nodes are root's to make, and a running system's come from its kernel.
  const nodes = roots.tree.filter((line) => line.startsWith('c'));
  assert.deepEqual(nodes.length, 1, nodes.join('\n'));
  assert.deepEqual(
    hers.tree,
    roots.tree.filter((line) => !nodes.includes(line)),
  );
  assert.ok(hers.tree.some((line) => /^drwx------ 33\/33 .*srv\/www\/$/.test(line)));
});

/** Files of hers on the host that are 33's in an image. */
function filesOf33(directory: string): string {
  const uid = String(FIRST_ID + 32);
  return execFileSync('find', [directory, '-uid', uid], { encoding: 'utf8' });
}

test("an ordinary user's layers are reused, verified and removed", async () => {
  await using rig = await openRig();
  await rig.element('owners', OWNERS);
  const user = await asOrdinaryUser(rig);
  const build = (elements: readonly string[], gib: string): Promise<Result> =>
    rig.run('disk-image-create', ['-n', '-t', 'tar', ...elements], {
      ...user,
      env: { ...user.env, DIB_CACHE_SIZE: gib },
    });
  const first = await build(['tiny', 'owners'], '20');
  assert.equal(first.status, 0, first.stdout + first.stderr);
  assert.match(filesOf33(rig.cache), /srv\/www/);
  const verified = await rig.run('dibkit', ['cache', 'verify'], user);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  const second = await build(['tiny', 'owners'], '20');
  assert.match(second.stdout, /Reusing install\.d/);
  const without = await asOrdinaryUser(rig, { ids: 0 });
  const pruned = await rig.run('dibkit', ['cache', 'prune', '--max-size', '0'], without);
  assert.equal(pruned.status, 3, pruned.stdout + pruned.stderr);
  assert.match(
    pruned.stderr,
    /Cannot remove .* has no range of user ids[\s\S]*usermod --add-subuids/,
  );
  await asOrdinaryUser(rig);
  // What a build uses stays; so another one, with no room for it.
  const other = await build(['tiny'], '0');
  assert.equal(other.status, 0, other.stdout + other.stderr);
  assert.equal(filesOf33(rig.cache), '', 'what is over the budget is removed');
});

test('layers are used only where their files have the owners that they have in the image', async () => {
  await using rig = await openRig();
  await rig.element('owners', OWNERS);
  await rig.element('hiding', {
    'root.d/30-hidden': hook(
      'sudo mkdir "$TARGET_ROOT/srv/one"; sudo touch "$TARGET_ROOT/srv/one/hidden"',
    ),
    'install.d/30-hide': hook('rm -r /srv/one; mkdir /srv/one'),
  });
  const user = await asOrdinaryUser(rig);
  const build = async (options: RunOptions, ...more: readonly string[]): Promise<string> => {
    const args = ['-n', '-t', 'tar', '-o', 'image', ...more, 'tiny', 'owners', 'hiding'];
    const result = await rig.run('disk-image-create', args, options);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    return result.stdout;
  };
  /** What everybody's image is like. */
  const check = (what: string): void => {
    const tree = treeOf(rig);
    assert.ok(tree.includes('-rw-r--r-- 65534/65534 ./srv/www/page'), what);
    assert.ok(!tree.some((line) => line.endsWith('/hidden')), what);
  };
  await build(user);
  check('hers');
  assert.match(await build(user, '--explain'), /^root +reused /m);

  assert.match(await build({}), /Running root\.d: there is no layer of it yet/);
  check("root's, with her layers in the store");
  const verified = await rig.run('dibkit', ['cache', 'verify']);
  assert.match(verified.stdout, /^4 layers of builds by another user.*\n4 layers, 0 faults$/m);

  for (const file of ['subuid', 'subgid']) {
    await writeFile(
      path.join(rig.dir, 'user/etc', file),
      `${USER.name}:${FIRST_ID - 70_000}:65536\n`,
    );
  }
  assert.match(await build(user, '--explain'), /^root +runs/m);
  assert.match(await build(user), /Running root\.d: there is no layer of it yet/);
  check('hers, with another range of ids');
});

for (const victim of ['process', 'group'] as const) {
  test(`SIGKILL of the ${victim} leaves nothing of an ordinary user's build`, async () => {
    await using phone = await openPhone();
    await using rig = await openRig();
    await rig.element('owners', OWNERS);
    await rig.element('caller', { 'install.d/50-call': phone.hook('install') });
    const user = await asOrdinaryUser(rig);
    // On disk, where the files of the image's users are files of the host.
    const args = ['--no-tmpfs', ...ARGS, 'caller'];
    const started = rig.start('disk-image-create', args, user);
    await whileRunning(phone.next('install'), started);
    assert.match(filesOf33(rig.dir), /srv\/www/);
    process.kill(victim === 'group' ? -started.pid : started.pid, 'SIGKILL');
    assert.equal((await started.exit).signal, 'SIGKILL');
    await rig.assertNothingLeaked();
    assert.deepEqual(await rig.outputs(), []);
  });
}

/** Resolves with what is waited for, or fails with what the command said when it ended before. */
async function whileRunning<T>(wanted: Promise<T>, started: Started): Promise<T> {
  const ended = started.exit.then(({ stdout, stderr }) => {
    throw new Error(`The build ended too early\n${stdout}${stderr}`);
  });
  ended.catch(() => {});
  return Promise.race([wanted, ended]);
}

/**
 * Her process goes into a user namespace in which all users are who they are, and no more can be
 * made. Root outside writes its map; the process keeps its number. The second shell is root in
 * there, which the first, started before there was a map, is not.
 */
const IN_A_NAMESPACE_WITHOUT_NAMESPACES = `
mkfifo "$work/made" "$work/mapped"
{
    read -r _ <"$work/made"
    echo '0 0 65536' >/proc/$$/uid_map
    echo '0 0 65536' >/proc/$$/gid_map
    echo >"$work/mapped"
} &
exec unshare --user sh -c '
    echo >"$1/made"
    read -r _ <"$1/mapped"
    rm "$1/made" "$1/mapped"
    shift
    exec sh -c "$0" "$@"
' '
    echo 0 >/proc/sys/user/max_user_namespaces
    exec setpriv --reuid "$0" --regid "$0" --clear-groups -- "$@"
' "$work" "$user" "$work/node" "$command" "$@"
`;

interface Refused {
  readonly claim: string;
  readonly user: UserOptions;
  readonly says: readonly RegExp[];
}

const REFUSED: readonly Refused[] = [
  {
    claim: 'without ids of her own: the line for /etc/subuid and the command that writes it',
    user: { ids: 0 },
    says: [
      /has no range of user ids in \/etc\/subuid/,
      /usermod --add-subuids \d+-\d+ --add-subgids \d+-\d+ ordinary/,
      /'ordinary:\d+:65536' in \/etc\/subuid and \/etc\/subgid/,
    ],
  },
  {
    claim: 'with too few ids: how many she has and how many it takes',
    user: { ids: 1000 },
    says: [
      /has 1000 user ids in \/etc\/subuid, and an image needs 65535/,
      /sed -i .* \/etc\/subuid/,
    ],
  },
  {
    claim: 'where user namespaces are switched off: the setting and the sysctl that changes it',
    user: { before: IN_A_NAMESPACE_WITHOUT_NAMESPACES },
    says: [/user\.max_user_namespaces/, /sysctl -w user\.max_user_namespaces=15000/],
  },
  {
    claim: 'where newuidmap is not installed: its package',
    user: { hidden: ['newuidmap', 'newgidmap'] },
    says: [/newuidmap/, /uidmap/],
  },
];

for (const { claim, user, says } of REFUSED) {
  test(`an ordinary user is told, ${claim}`, async () => {
    await using rig = await openRig();
    const through = await asOrdinaryUser(rig, user);
    const build = await rig.run('disk-image-create', ['-n', 'tiny'], through);
    const doctor = await rig.run('dibkit', ['doctor', '-n', 'tiny'], through);
    assert.deepEqual([build.status, doctor.status], [3, 3], build.stderr + doctor.stdout);
    for (const pattern of says) {
      assert.match(build.stderr, pattern);
      assert.match(doctor.stdout, pattern);
    }
    assert.ok(!build.events.some(({ kind }) => kind === 'phase-start'), 'work had started');
    assert.deepEqual(await rig.outputs(), []);
  });
}

/** Where neither programs can be run nor overlays be mounted. */
const NOEXEC_PLACE = `
mkdir -m 1777 /var/tmp/noexec
mount --bind /var/tmp/noexec /var/tmp/noexec
mount -o remount,bind,noexec /var/tmp/noexec
`;

test('an ordinary user builds in a container: overlay root, no loop devices, read-only home', async () => {
  await using rig = await openRig();
  await rig.element('owners', OWNERS);
  const user = await asOrdinaryUser(rig, { container: true, before: NOEXEC_PLACE });
  const homeless = await rig.run('disk-image-create', ARGS, {
    ...user,
    env: { ...user.env, DIB_IMAGE_CACHE: undefined },
  });
  assert.equal(homeless.status, 3, homeless.stdout + homeless.stderr);
  assert.match(homeless.stderr, /cache directory[\s\S]*--image-cache/);
  const inert = await rig.run('disk-image-create', ['--no-tmpfs', ...ARGS], {
    ...user,
    env: { ...user.env, TMPDIR: '/var/tmp/noexec' },
  });
  assert.equal(inert.status, 3, inert.stdout + inert.stderr);
  assert.match(
    inert.stderr,
    /'\/var\/tmp\/noexec': its file system is mounted noexec[\s\S]*TMPDIR/,
  );
  const result = await rig.run('disk-image-create', ['--no-tmpfs', ...ARGS], user);
  assert.equal(result.status, 0, result.stdout + result.stderr);
  await assertHers(rig);
  const said = result.events.flatMap((event) =>
    event.kind === 'message' && event.level === 'warning' ? [event.text] : [],
  );
  assert.deepEqual(
    said.filter((text) => /plain directory/.test(text)).length,
    1,
    `it should say once that it does without an overlay: ${said.join('; ')}`,
  );
});
