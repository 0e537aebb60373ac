/**
 * Archives that try to get out, and archives that are broken. Each hostile one is written header by
 * header and aims at a sentinel beside the target.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { leaksOf } from '../rig/leaks.ts';

const DIBKIT = fileURLToPath(new URL('../../bin/dibkit', import.meta.url));
const INCOMPLETE = '.dibkit-extract-incomplete';
const SAFE = 'untouched\n';

let dir: string;
let count = 0;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'dibkit-extract-'));
});

after(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** One member of a tar. */
interface Member {
  readonly name: string;
  readonly type?: 'file' | 'hardlink' | 'symlink' | 'char' | 'dir';
  readonly to?: string;
  readonly content?: string;
  readonly mode?: number;
  /** What the header says; by default what is true. */
  readonly size?: number;
}

const TYPES = { file: '0', hardlink: '1', symlink: '2', char: '3', dir: '5' } as const;

/** POSIX ustar, as an attacker would write it. */
function tarOf(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(memberOf), Buffer.alloc(1024)]);
}

function memberOf(member: Member): Buffer {
  const content = Buffer.from(member.content ?? '');
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number): string =>
    `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(member.name, 0);
  header.write(octal(member.mode ?? 0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(member.size ?? content.length, 12), 124);
  header.write(octal(1_700_000_000, 12), 136);
  header.write('        ', 148);
  header.write(TYPES[member.type ?? 'file'], 156);
  header.write(member.to ?? '', 157);
  header.write('ustar\x0000', 257);
  header.write(octal(1, 8), 329);
  header.write(octal(3, 8), 337);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

interface Arena {
  readonly root: string;
  readonly outside: string;
  readonly archive: string;
}

/** A target with a neighbour that must not change: a directory with one file in it. */
async function arena(): Promise<Arena> {
  count += 1;
  const base = path.join(dir, `arena ${count}`);
  const [root, outside] = [path.join(base, 'root'), path.join(base, 'outside')];
  await mkdir(root, { recursive: true });
  await mkdir(outside);
  await writeFile(path.join(outside, 'sentinel'), SAFE);
  return { root, outside, archive: path.join(base, 'archive') };
}

interface Outcome {
  readonly status: number | null;
  readonly said: string;
}

function extract(archive: string, root: string, env: NodeJS.ProcessEnv = process.env): Outcome {
  const result = spawnSync(process.execPath, [DIBKIT, 'extract', archive, root], {
    encoding: 'utf8',
    env,
  });
  return { status: result.status, said: result.stdout + result.stderr };
}

async function assertOutsideUnharmed({ outside }: Arena): Promise<void> {
  assert.deepEqual(await readdir(outside), ['sentinel']);
  const sentinel = path.join(outside, 'sentinel');
  assert.equal(await readFile(sentinel, 'utf8'), SAFE);
  const { nlink, mode } = await stat(sentinel);
  assert.equal(nlink, 1, 'nothing inside may share the inode');
  assert.equal(mode & 0o777, 0o644);
}

/** Extracts members that aim at `outside`; what must be so afterwards is told by `expected`. */
async function attack(
  members: (where: Arena) => readonly Member[],
  expected: 'refused' | 'confined',
  prepare: (where: Arena) => Promise<void> = async () => {},
): Promise<{ where: Arena; said: string }> {
  const where = await arena();
  await prepare(where);
  await writeFile(where.archive, tarOf(members(where)));
  const { status, said } = extract(where.archive, where.root);
  await assertOutsideUnharmed(where);
  assert.equal(status === 0, expected === 'confined', said);
  const left = await readdir(where.root);
  assert.equal(left.includes(INCOMPLETE), expected === 'refused');
  return { where, said };
}

test('an absolute name is confined to the root', async () => {
  const { where } = await attack(
    ({ outside }) => [{ name: `${outside}/sentinel`, content: 'harm' }],
    'confined',
  );
  assert.equal(await readFile(`${where.root}${where.outside}/sentinel`, 'utf8'), 'harm');
});

test("a name with '..' is refused, with the name in the message", async () => {
  const { said } = await attack(
    () => [{ name: '../outside/sentinel', content: 'harm' }],
    'refused',
  );
  assert.match(said, /\.\.\/outside\/sentinel/);
});

test('a symlink in the archive is not written through', async () => {
  await attack(
    ({ outside }) => [
      { name: 'way', type: 'symlink', to: outside },
      { name: 'way/sentinel', content: 'harm' },
    ],
    'refused',
  );
  await attack(
    () => [
      { name: 'way', type: 'symlink', to: '../outside' },
      { name: 'way/new', content: 'harm' },
    ],
    'refused',
  );
});

test('a chain of symlinks that each look harmless is not written through', async () => {
  await attack(
    () => [
      { name: 'a', type: 'symlink', to: 'b/..' },
      { name: 'b', type: 'symlink', to: '.' },
      { name: 'a/../outside/sentinel', content: 'harm' },
    ],
    'refused',
  );
});

test('a symlink that a file of the same name comes after is not followed', async () => {
  await attack(
    ({ outside }) => [
      { name: 'way', type: 'symlink', to: `${outside}/sentinel` },
      { name: 'way', content: 'harm' },
    ],
    'confined',
  );
});

test('a hard link to a file outside is refused', async () => {
  await attack(
    ({ outside }) => [{ name: 'h', type: 'hardlink', to: `${outside}/sentinel` }],
    'refused',
  );
  await attack(() => [{ name: 'h', type: 'hardlink', to: '../outside/sentinel' }], 'refused');
  await attack(
    ({ outside }) => [
      { name: 'way', type: 'symlink', to: outside },
      { name: 'h', type: 'hardlink', to: 'way/sentinel' },
      { name: 'h', content: 'harm' },
    ],
    'refused',
  );
});

test('GNU tar alone follows a symlink that is in the root before', async () => {
  const where = await arena();
  await symlink(where.outside, path.join(where.root, 'etc'));
  await writeFile(where.archive, tarOf([{ name: 'etc/sentinel', content: 'harm' }]));
  execFileSync('tar', ['-C', where.root, '-xf', where.archive]);
  assert.equal(await readFile(path.join(where.outside, 'sentinel'), 'utf8'), 'harm');
});

test('a symlink that is in the root before leads nowhere', async () => {
  const { said } = await attack(
    () => [{ name: 'etc/sentinel', content: 'harm' }],
    'refused',
    ({ root, outside }) => symlink(outside, path.join(root, 'etc')),
  );
  assert.match(said, /etc/);
  await attack(
    () => [{ name: 'etc/sentinel', content: 'harm' }],
    'refused',
    ({ root }) => symlink('../outside', path.join(root, 'etc')),
  );
});

test('names with newlines are files of the root', async () => {
  const name = 'line\n../outside/sentinel';
  const climbing = await attack(() => [{ name, content: 'harm' }], 'confined');
  assert.deepEqual(await readdir(climbing.where.root), ['line\n..']);
  const { where } = await attack(() => [{ name: 'line\nended 0 0', content: 'text' }], 'confined');
  assert.deepEqual(await readdir(where.root), ['line\nended 0 0']);
});

test('a name that looks like our report does not hide a failure', async () => {
  await attack(
    () => [{ name: 'x\nended 0 0' }, { name: '../outside/sentinel', content: 'harm' }],
    'refused',
  );
});

test('device nodes are made, and not written to', async () => {
  const { where } = await attack(() => [{ name: 'dev/null', type: 'char' }], 'confined');
  const node = await lstat(path.join(where.root, 'dev/null'));
  assert.ok(node.isCharacterDevice());
  assert.equal(node.rdev, (await stat('/dev/null')).rdev);
});

test('what is mounted below the root is out of reach', async () => {
  const where = await arena();
  await mkdir(path.join(where.root, 'cache'));
  await writeFile(where.archive, tarOf([{ name: 'cache/sentinel', content: 'harm' }]));
  const script = 'mount --bind "$1" "$2/cache" && "$3" "$4" extract "$5" "$2"';
  const args = [where.outside, where.root, process.execPath, DIBKIT, where.archive];
  execFileSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...args]);
  await assertOutsideUnharmed(where);
  assert.equal(await readFile(path.join(where.root, 'cache/sentinel'), 'utf8'), 'harm');
});

test('the name service of the root is not asked: an ACL naming a user runs nothing', async () => {
  const where = await arena();
  const source = path.join(path.dirname(where.root), 'source');
  await mkdir(path.join(source, 'etc'), { recursive: true });
  await writeFile(path.join(source, 'etc/nsswitch.conf'), 'passwd: evil\n');
  await writeFile(path.join(source, 'x'), '');
  execFileSync('setfacl', ['-m', 'u:daemon:r', path.join(source, 'x')]);
  // Without --numeric-owner, tar writes names into the ACL.
  execFileSync('tar', ['-C', source, '--acls', '-cf', where.archive, 'etc', 'x']);
  const library = path.join(where.root, 'lib/x86_64-linux-gnu');
  await mkdir(library, { recursive: true });
  await writeFile(path.join(library, 'libnss_evil.so.2'), 'not even a library');
  const { said } = extract(where.archive, where.root);
  assert.doesNotMatch(said, /evil/);
});

/** A tree with everything that a root can have, and its listing as tar sees it. */
async function richTree(base: string): Promise<string> {
  const tree = path.join(base, 'tree');
  await mkdir(path.join(tree, 'etc/dir'), { recursive: true });
  await mkdir(path.join(tree, 'dev'));
  await writeFile(path.join(tree, 'etc/one'), 'one\n');
  await link(path.join(tree, 'etc/one'), path.join(tree, 'etc/two'));
  await symlink('/run', path.join(tree, 'var'));
  await writeFile(path.join(tree, 'ping'), 'program');
  await chmod(path.join(tree, 'etc/dir'), 0o2750);
  const holes = await open(path.join(tree, 'holes'), 'w');
  await holes.truncate(8 * 1024 * 1024);
  await holes.close();
  execFileSync('chown', ['4321:1234', path.join(tree, 'etc/one')]);
  execFileSync('setcap', ['cap_net_raw+ep', path.join(tree, 'ping')]);
  execFileSync('setfacl', ['-m', 'u:4242:rx', path.join(tree, 'etc/dir')]);
  execFileSync('setfattr', ['-n', 'security.selinux', '-v', 'other', path.join(tree, 'etc/one')]);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', path.join(tree, 'etc/one')]);
  execFileSync('mknod', [path.join(tree, 'dev/null'), 'c', '1', '3']);
  // Node sets the time of the root itself to a microsecond only; all others are the archive's to the last digit.
  execFileSync('touch', ['-d', '@1700000000.5', tree]);
  return tree;
}

const ALL = ['--numeric-owner', '--sparse', '--acls', '--xattrs', '--xattrs-include=*'];

test('owners, modes, links, devices, ACLs, capabilities and holes arrive; SELinux labels do not', async () => {
  const where = await arena();
  const tree = await richTree(path.dirname(where.root));
  execFileSync('tar', ['-C', tree, ...ALL, '-czf', where.archive, '.']);
  assert.equal(extract(where.archive, where.root).status, 0);
  const seen = (base: string): string =>
    execFileSync(
      'sh',
      [
        '-c',
        'cd "$1" && find . -printf "%P %y %m %U:%G %n %l %T@ %s\\n" | sort && getcap -r . &&' +
          ' getfacl -n etc/dir && getfattr -n user.note etc/one',
        'sh',
        base,
      ],
      { encoding: 'utf8' },
    );
  assert.equal(seen(where.root), seen(tree));
  const labels = spawnSync('getfattr', [
    '-n',
    'security.selinux',
    path.join(where.root, 'etc/one'),
  ]);
  assert.notEqual(labels.status, 0, 'the label is of the policy of another system');
  const [one, two] = await Promise.all(
    ['etc/one', 'etc/two'].map((name) => stat(path.join(where.root, name))),
  );
  assert.equal(one?.ino, two?.ino);
  assert.ok((await stat(path.join(where.root, 'holes'))).blocks < 1000);
  assert.equal(await readlink(path.join(where.root, 'var')), '/run');
});

const COMPRESSORS = [
  { format: 'gzip', argv: ['gzip', '-1'] },
  { format: 'xz', argv: ['xz', '-T0', '-0'] },
  { format: 'zstd', argv: ['zstd', '-q', '-1'] },
  { format: 'bzip2', argv: ['bzip2', '-1'] },
  { format: 'tar', argv: ['cat'] },
] as const;

for (const { format, argv } of COMPRESSORS) {
  test(`${format} is known by its content, and half of it is refused`, async () => {
    const where = await arena();
    const [tool, ...args] = argv;
    const noise = execFileSync('head', ['-c', '300000', '/dev/urandom']).toString('base64');
    const plain = tarOf([
      { name: 'first', content: 'first' },
      { name: 'noise', content: noise },
      { name: 'last', content: 'last' },
    ]);
    const whole = execFileSync(tool, args, { input: plain, maxBuffer: 1 << 24 });
    await writeFile(where.archive, whole);
    assert.match(extract(where.archive, where.root).said, new RegExp(`\\(${format}\\)`));
    assert.deepEqual(await readdir(where.root), ['first', 'last', 'noise']);

    const second = await arena();
    await writeFile(second.archive, whole);
    await truncate(second.archive, Math.floor(whole.length / 2));
    const { status, said } = extract(second.archive, second.root);
    assert.equal(status, 4, said);
    assert.match(said, /is incomplete: remove it/);
    assert.ok((await readdir(second.root)).includes(INCOMPLETE));
    assert.match(extract(second.archive, second.root).said, /has failed/);
  });
}

test('a squashfs arrives, and a broken one is refused', async () => {
  const where = await arena();
  const tree = await richTree(path.dirname(where.root));
  execFileSync('setfacl', ['-b', path.join(tree, 'etc/dir')]);
  execFileSync('mksquashfs', [tree, where.archive, '-quiet', '-no-progress']);
  const { status, said } = extract(where.archive, where.root);
  assert.equal(status, 0, said);
  assert.match(said, /\(squashfs\) with unsquashfs/);
  assert.equal((await stat(path.join(where.root, 'etc/one'))).uid, 4321);
  assert.match(execFileSync('getcap', ['-r', where.root], { encoding: 'utf8' }), /cap_net_raw=ep/);

  const second = await arena();
  const noise = path.join(path.dirname(second.root), 'noise');
  await mkdir(noise);
  execFileSync('sh', ['-c', 'head -c 3000000 /dev/urandom >"$1/noise"', 'sh', noise]);
  execFileSync('mksquashfs', [noise, second.archive, '-quiet', '-no-progress']);
  await truncate(second.archive, 1_500_000);
  const broken = extract(second.archive, second.root);
  assert.equal(broken.status, 4, broken.said);
});

test('a squashfs does not write through a symlink of the root', async () => {
  const where = await arena();
  const tree = path.join(path.dirname(where.root), 'tree');
  await mkdir(path.join(tree, 'etc'), { recursive: true });
  await writeFile(path.join(tree, 'etc/sentinel'), 'harm');
  await symlink(where.outside, path.join(where.root, 'etc'));
  execFileSync('mksquashfs', [tree, where.archive, '-quiet', '-no-progress']);
  extract(where.archive, where.root);
  await assertOutsideUnharmed(where);
});

test('without unsquashfs the failure names the package', async () => {
  const where = await arena();
  await writeFile(where.archive, Buffer.concat([Buffer.from('hsqs'), Buffer.alloc(1000)]));
  const bin = path.join(path.dirname(where.root), 'bin');
  await mkdir(bin);
  // Ours puts the system's directories behind PATH: in this namespace the program is not there.
  const script = 'mount --bind /dev/null "$(command -v unsquashfs)" && exec "$@"';
  const argv = [process.execPath, DIBKIT, 'extract', where.archive, where.root];
  const result = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...argv], {
    encoding: 'utf8',
  });
  assert.equal(result.status, 3, result.stderr);
  assert.match(result.stderr, /squashfs-tools/);
});

test('a cut at the boundary of a member is noticed', async () => {
  const where = await arena();
  const first = tarOf([{ name: 'first', content: 'first' }]).subarray(0, 1024);
  await writeFile(where.archive, gzipSync(first));
  const { status, said } = extract(where.archive, where.root);
  assert.equal(status, 4);
  assert.match(said, /no end mark/);
});

test('damage behind the end of the tar is noticed: the checksum of the whole is there', async () => {
  const where = await arena();
  const plain = Buffer.concat([tarOf([{ name: 'first' }]), Buffer.alloc(1 << 20)]);
  const packed = gzipSync(plain);
  packed.writeUInt32LE(0, packed.length - 8);
  await writeFile(where.archive, packed);
  assert.equal(extract(where.archive, where.root).status, 4);
});

test('a gzip is what gzip says it is: members, zeros behind them, and nothing else', async () => {
  const plain = tarOf([{ name: 'first', content: 'x'.repeat(5000) }]);
  const parts = [plain.subarray(0, 700), plain.subarray(700)].map((part) => gzipSync(part));
  const whole = Buffer.concat(parts);
  const damaged = Buffer.from(gzipSync(execFileSync('head', ['-c', '300000', '/dev/urandom'])));
  damaged.fill(0xff, 1000, 1100);
  const cases = [
    { bytes: whole, status: 0, says: /\(gzip\) with zlib and tar/ },
    { bytes: Buffer.concat([whole, Buffer.alloc(1000)]), status: 0, says: /Extracted/ },
    { bytes: Buffer.concat([whole, Buffer.from('more')]), status: 4, says: /it is damaged: inco/ },
    { bytes: whole.subarray(0, -4), status: 4, says: /it was cut off/ },
    { bytes: Buffer.concat([parts[0] ?? whole, damaged]), status: 4, says: /it is damaged: / },
  ];
  for (const { bytes, status, says } of cases) {
    const where = await arena();
    await writeFile(where.archive, bytes);
    const outcome = extract(where.archive, where.root);
    assert.equal(outcome.status, status, outcome.said);
    assert.match(outcome.said, says);
  }
});

test('a web page, an empty file and a directory are no archives', async () => {
  const where = await arena();
  await writeFile(where.archive, '<!DOCTYPE html><title>Sign in</title>');
  assert.match(extract(where.archive, where.root).said, /web page/);
  await writeFile(where.archive, '');
  assert.match(extract(where.archive, where.root).said, /empty/);
  assert.equal(extract(where.outside, where.root).status, 2);
  assert.equal(extract(where.archive, path.join(where.root, 'missing')).status, 2);
  assert.deepEqual(await readdir(where.root), [], 'nothing was begun');
});

/** Two GiB of zeros, of which nothing is read before there is somebody to end it. */
const LARGE = { size: 2 ** 31, step: 2 ** 26 };

for (const format of ['tar', 'gzip'] as const) {
  test(`a killed extraction of a ${format} leaves no process and no mount, and the root is marked`, async () => {
    const where = await arena();
    const header = memberOf({ name: 'x', size: LARGE.size });
    if (format === 'tar') {
      await writeFile(where.archive, header);
      await truncate(where.archive, header.length + LARGE.size + 1024);
    } else {
      const zeros = gzipSync(Buffer.alloc(LARGE.step), { level: 1 });
      const steps = Array.from({ length: LARGE.size / LARGE.step }, () => zeros);
      await writeFile(where.archive, Buffer.concat([gzipSync(header), ...steps]));
    }
    await killWhenItWrites(where);
  });
}

async function killWhenItWrites(where: Arena): Promise<void> {
  const child = spawn(process.execPath, [DIBKIT, 'extract', where.archive, where.root], {
    stdio: 'ignore',
  });
  const exit = new Promise((resolve) => child.once('close', resolve));
  for (;;) {
    const names = await readdir(where.root);
    if (names.includes('x')) {
      break;
    }
    assert.equal(child.exitCode, null, 'it was too quick to be killed');
  }
  child.kill('SIGKILL');
  await exit;
  assert.ok((await readdir(where.root)).includes(INCOMPLETE));
  // The kernel ends the cell after its parent; a process that stayed would keep this from ending.
  for (let left = ['?']; left.length > 0; ) {
    left = [...(await leaksOf(where.root))];
  }
}
