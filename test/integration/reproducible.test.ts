/** The same image twice, in surroundings that have nothing in common. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

/** Every kind of file system that is written without a mount. */
const DISK = `
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - name: ESP
        type: EF00
        size: 8MiB
        mkfs: {type: vfat, mount: {mount_point: /boot/efi, fstab: {options: defaults}}}
      - {name: swap, type: '8200', size: 4MiB, mkfs: {type: swap, label: swap}}
      - name: root
        type: '8300'
        size: 100%
        mkfs: {type: ext4, mount: {mount_point: /, fstab: {options: defaults}}}
`;

/**
 * Writes what differs between builds: the order and the times of files, days, notes of tools. What
 * tells the builds apart comes from the home directory, which is no input.
 */
const VARIES = `
order=$(cat "$HOME/order")
later=$(cat "$HOME/later")
cd "$TARGET_ROOT"
mkdir -p many boot/efi/EFI/sub var/log/apt var/cache/ldconfig
for name in $order; do
    echo "$name" >"many/$name"
    echo "$name" >"boot/efi/$name"
    echo "$name" >"boot/efi/EFI/sub/$name"
    mkdir "many/dir-$name"
    echo old >"many/dir-$name/old"
    ln -s "$name" "many/link-$name"
    touch -h -d "@$later" "many/$name" "boot/efi/$name" "many/link-$name"
done
ln many/a many/z-twin
touch -d @1600000000 many/b
for name in \${order%% *} \${order##* }; do
    setfattr -n "user.$name" -v "$name" many/c
done
dd if=/dev/zero of=many/hole bs=1 count=0 seek=40M status=none
dd if=/dev/urandom of=etc/machine-id bs=33 count=1 status=none
dd if=/dev/urandom of=var/cache/ldconfig/aux-cache bs=1000 count=1 status=none
dd if=/dev/urandom of=var/log/apt/term.log bs=1000 count="$(wc -c <"$HOME/order")" status=none
printf 'root:*:%s:0:99999:7:::\\ndaemon:*:10:0:99999:7:::\\n' "$((later / 86400))" >etc/shadow
chmod 640 etc/shadow
date >tmp/when
`;

/** In one of the builds the phase is cut in between. */
const CUT = {
  'install.d/10-before': hook(`
    mkdir -p /cut/gone /cut/dir/sub
    for name in a b c gone/file dir/old dir/sub/old; do echo before >"/cut/$name"; done
    rm -r /many/dir-a /many/dir-b /many/dir-c
    mkdir /many/dir-a /many/dir-b
    echo file >/many/dir-c
    rm /many/dir-d/old
    [ "$(uname -n)" != second ] || sleep 2.1`),
  'install.d/20-after': hook(`
    rm -r /cut/gone /cut/dir /cut/a
    mkdir /cut/dir
    echo after >/cut/dir/new
    echo after >>/cut/b
    ln /cut/c /cut/twin
    rm -r /many/dir-b /many/dir-c
    mkdir /many/dir-c /many/dir-d/new
    chmod 700 /many/dir-a`),
  'finalise.d/50-identity': hook('echo uninitialized >/etc/machine-id'),
};

const TYPES = ['tar', 'tgz', 'raw', 'qcow2', 'oci', 'docker'];

let rig: Rig;

before(async () => {
  rig = await openRig();
  await rig.element('varies', {
    'root.d/50-varies': hook(VARIES),
    'post-install.d/50-date': hook(
      'echo "$SOURCE_DATE_EPOCH" >/etc/image-date; touch /etc/touched',
    ),
    ...CUT,
  });
});

after(async () => {
  await rig[Symbol.asyncDispose]();
});

interface Surroundings {
  readonly order: string;
  /** Days from now, of files that are later than the image. */
  readonly days: number;
  readonly env: Readonly<Record<string, string>>;
  readonly umask: string;
  /** The caller's, and that of directories which give it to what is made in them. */
  readonly group: number;
  readonly types: readonly string[];
}

const NEAR: Surroundings = {
  order: 'a b c d',
  days: 0,
  env: {},
  umask: '022',
  group: 0,
  types: TYPES,
};

interface Built {
  /** Of the images. */
  readonly out: string;
  readonly events: Result['events'];
}

/** Builds in surroundings of its own. */
async function build(name: string, where: Partial<Surroundings> = {}): Promise<Built> {
  const { order, days, env, umask, group, types } = { ...NEAR, ...where };
  const place = path.join(rig.dir, name);
  await mkdir(place);
  await chown(place, 0, group);
  await chmod(place, group === 0 ? 0o755 : 0o2775);
  const [home, tmp, out] = ['home', 'tmp', 'out'].map((part) => path.join(place, part));
  for (const dir of [home, tmp, out]) {
    await mkdir(String(dir), { recursive: true });
  }
  await writeFile(path.join(String(home), 'order'), order);
  await writeFile(
    path.join(String(home), 'later'),
    String(Math.floor(Date.now() / 1000) + days * 86_400),
  );
  const result = await rig.run(
    'disk-image-create',
    ['-t', types.join(','), '-o', 'same', '-n', 'tiny', 'varies'],
    {
      cwd: String(out),
      env: { HOME: home, TMPDIR: tmp, DIB_BLOCK_DEVICE_CONFIG: DISK, ...env },
      through: [
        'setpriv',
        `--regid=${group}`,
        '--keep-groups',
        'unshare',
        '--uts',
        'sh',
        '-c',
        `hostname ${name}; umask ${umask}; exec "$@"`,
        'sh',
      ],
    },
  );
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-3000));
  return { out: String(out), events: result.events };
}

async function differences(left: string, right: string): Promise<string> {
  const { stdout } = await rig.run('dibkit', ['diff', left, right]);
  return stdout;
}

function diskId(directory: string): string {
  const table = execFileSync('sfdisk', ['--json', path.join(directory, 'same.raw')], {
    encoding: 'utf8',
  });
  return (JSON.parse(table) as { partitiontable: { id: string } }).partitiontable.id;
}

let first: string;
let second: string;

test('two builds with nothing in common but their input are the same, bit for bit', async () => {
  ({ out: first } = await build('first'));
  const other = await build('second', {
    order: 'd c b a',
    days: 3,
    umask: '077',
    group: 12,
    env: {
      TZ: 'Asia/Tokyo',
      LANG: 'tr_TR.UTF-8',
      LC_ALL: 'tr_TR.UTF-8',
      DIB_NO_TMPFS: '1',
      DIB_CHECKSUM: '1',
      DIB_IMAGE_CACHE: path.join(rig.dir, 'second/its "câche", \\'),
      DIB_GZIP_BIN: 'pigz',
    },
  });
  second = other.out;
  for (const name of await readdir(second)) {
    assert.equal((await stat(path.join(second, name))).mode & 0o777, 0o600, name);
  }
  const cut = other.events.filter(
    (event) => event.kind === 'layer' && event.phase === 'install' && event.outcome === 'kept',
  );
  assert.equal(cut.length, 2, 'the phase was cut');
  for (const type of TYPES.filter((each) => each !== 'tgz')) {
    const [left, right] = [first, second].map((out) => path.join(out, `same.${type}`));
    const same = (await readFile(String(left))).equals(await readFile(String(right)));
    assert.ok(same, `${type}:\n${await differences(String(left), String(right))}`);
  }
  // Another program compresses in another way: what is inside is the same.
  const archives = [first, second].map((out) => path.join(out, 'same.tgz'));
  assert.equal(await differences(String(archives[0]), String(archives[1])), '');
});

test('the layers of a phase that was cut are the tree, but for what a container gets from elsewhere', async () => {
  const member = (name: string): string =>
    execFileSync('tar', ['-xOf', path.join(second, 'same.docker'), name], { encoding: 'utf8' });
  const [image] = JSON.parse(member('manifest.json')) as { Config: string }[];
  const { history } = JSON.parse(member(String(image?.Config))) as {
    history: { created_by: string }[];
  };
  // None of what the writer of the disk does in the tree.
  const phases = ['root', 'extra-data', 'install', 'post-install', 'finalise', 'cleanup'];
  assert.deepEqual(
    history.map((layer) => layer.created_by),
    phases.map((phase) => `${phase}.d`),
  );
  const tree = path.join(rig.dir, 'unpacked');
  await mkdir(tree);
  await rig.run('dibkit', ['unpack-image', path.join(second, 'same.docker'), tree]);
  const found = await differences(tree, path.join(second, 'same.tar'));
  // Whiteouts that are unpacked change the time of a directory.
  const rest = found.split('\n').filter((line) => !/^\S+: time [^,]*$/.test(line));
  assert.deepEqual(rest, [`only in ${path.join(second, 'same.tar')}: file /etc/fstab`, '']);
});

test('the file systems are sound, and no time in the image is later than its date', async () => {
  const raw = path.join(first, 'same.raw');
  const table = JSON.parse(execFileSync('sfdisk', ['--json', raw], { encoding: 'utf8' })) as {
    partitiontable: { partitions: { start: number; size: number }[] };
  };
  const [esp, , root] = table.partitiontable.partitions;
  execFileSync('e2fsck', ['-f', '-n', `${raw}?offset=${Number(root?.start) * 512}`]);
  const part = path.join(rig.dir, 'esp');
  const range = [`skip=${esp?.start}`, `count=${esp?.size}`, 'status=none'];
  execFileSync('dd', [`if=${raw}`, `of=${part}`, 'bs=512', ...range]);
  execFileSync('fsck.vfat', ['-n', part]);
  const listed = execFileSync(
    'tar',
    ['--full-time', '--utc', '-tvf', path.join(first, 'same.tar')],
    { encoding: 'utf8' },
  );
  const date = Number(
    execFileSync('tar', ['-xOf', path.join(first, 'same.tar'), './etc/image-date'], {
      encoding: 'utf8',
    }),
  );
  const times = [...listed.matchAll(/ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\S* /g)].map(
    ([, day, time]) => Date.parse(`${day}T${time}Z`) / 1000,
  );
  assert.ok(times.length > 50, `${times.length} times`);
  assert.equal(Math.max(...times), date);
  assert.ok(times.includes(1_600_000_000), 'earlier times stay');
});

test('another input makes other identifiers, and so does another seed', async () => {
  const { out: seeded } = await build('seeded', {
    types: ['raw'],
    env: { DIB_IMAGE_SEED: 'second machine' },
  });
  const { out: random } = await build('random', {
    types: ['raw'],
    env: { DIB_IMAGE_SEED: 'random' },
  });
  await rig.element('varies', { 'static/more': 'one file more\n' });
  const { out: edited } = await build('edited', { types: ['raw'] });
  const ids = [first, seeded, random, edited].map(diskId);
  assert.equal(new Set(ids).size, ids.length, ids.join(' '));
});

test('SOURCE_DATE_EPOCH is the date, and hooks see it', async () => {
  const { out } = await build('dated', {
    types: ['tar'],
    env: { SOURCE_DATE_EPOCH: '1500000000' },
  });
  const tar = path.join(out, 'same.tar');
  const seen = execFileSync('tar', ['-xOf', tar, './etc/image-date'], { encoding: 'utf8' });
  assert.equal(seen, '1500000000\n');
  const listed = execFileSync('tar', ['--utc', '-tvf', tar], { encoding: 'utf8' });
  assert.doesNotMatch(listed, / 20(1[89]|2\d)-/);
  const bad = await rig.run('disk-image-create', ['-n', 'tiny'], {
    env: { SOURCE_DATE_EPOCH: 'yesterday' },
  });
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /SOURCE_DATE_EPOCH must be seconds since 1970/);
});
