import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const functions = path.resolve('elements/dpkg/mkinitramfs.d/path-names.sh');
const dir = mkdtempSync(path.join(tmpdir(), 'dibkit-names-'));
after(() => rmSync(dir, { recursive: true }));

mkdirSync(path.join(dir, 'usr/lib/with space'), { recursive: true });
writeFileSync(path.join(dir, 'usr/lib/file'), '');
writeFileSync(path.join(dir, 'usr/lib/with space/a*b'), '');
symlinkSync('usr/lib', path.join(dir, 'lib'));
symlinkSync('file', path.join(dir, 'usr/lib/link'));
symlinkSync('nowhere', path.join(dir, 'usr/lib/broken'));
symlinkSync('/', path.join(dir, 'slash'));

const NAMES = [
  ...['', '/', '//', '/.', 'usr', './usr', '-x', `${dir}`],
  ...[
    ...['usr', 'usr/', '/usr//lib///file', 'usr/lib/file', 'usr/lib/file/', 'usr/lib/./file'],
    ...['usr/lib/../lib/file', 'usr/lib/..', 'usr/lib/.', 'lib', 'lib/', 'lib/file', 'lib/link'],
    ...['lib/with space/a*b', 'lib/missing', 'missing/file', 'lib/broken', 'usr/lib/link/'],
    ...['slash', 'slash/usr', 'usr/lib/.hidden', 'usr/lib/..file', '...'],
  ].map((name) => `${dir}/${name}`),
  ...[`/${dir}/lib/file`, `//${dir}//lib/link`],
];

/** What a command says and its status, with and without the functions, run by `dash`. */
function answers(script: string, name: string): readonly [unknown, unknown] {
  const run = (before: string) => {
    const argv = ['-c', `${before}\n${script}`, 'sh', name];
    const { status, stdout } = spawnSync('dash', argv, { cwd: dir, encoding: 'utf8' });
    return { status, stdout };
  };
  return [run(`. ${functions}`), run('')];
}

for (const command of [
  'realpath -ms "$1"',
  'realpath -s "$1"',
  'readlink -f "$1"',
  'realpath "$1"',
]) {
  test(`${command}: the shell says what coreutils says`, () => {
    for (const name of NAMES) {
      const [ours, theirs] = answers(command, name);
      assert.deepEqual(ours, theirs, `'${name}'`);
    }
  });
}

test('mkdir -p of what is there starts nothing, and else makes it', () => {
  const script = `. ${functions}; mkdir -p "$1/usr/lib" "$1"; mkdir -p "$1/usr/lib" && mkdir -p "$1/made/deep"`;
  execFileSync('dash', [
    '-c',
    `PATH=${path.join(dir, 'none')}; . ${functions}; mkdir -p "$1"`,
    'sh',
    dir,
  ]);
  execFileSync('dash', ['-c', script, 'sh', dir]);
  assert.ok(
    execFileSync('find', [path.join(dir, 'made'), '-type', 'd'], { encoding: 'utf8' }).includes(
      'deep',
    ),
  );
});

test('what mkinitramfs asks for is told without a process', () => {
  const script = `PATH=${path.join(dir, 'none')}; . ${functions}
    realpath -ms "/$1/lib/modules//file"; realpath -s "$1/usr/lib/file"; readlink -f "$1/usr/lib/file"; readlink -f "$1/lib"`;
  const said = execFileSync('dash', ['-c', script, 'sh', dir], { encoding: 'utf8' });
  assert.equal(
    said,
    `${dir}/lib/modules/file\n${dir}/usr/lib/file\n${dir}/usr/lib/file\n${dir}/usr/lib\n`,
  );
});
