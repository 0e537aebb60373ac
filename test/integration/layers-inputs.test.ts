/** What a phase on the host depends on beside its hooks: files and directories that variables name, elements' own files. */
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

/** Directories of projects, with the files that variables name there. */
async function openProject(rig: Rig, name: string): Promise<string> {
  const dir = path.join(rig.dir, name);
  const files = [
    'conf',
    'a.list',
    'b.list',
    'by-uri',
    'tree/sub/file',
    'tree/.git/index',
    'idle/x',
  ];
  for (const file of files) {
    await mkdir(path.dirname(path.join(dir, file)), { recursive: true });
    await writeFile(path.join(dir, file), 'one\n');
  }
  await symlink('file', path.join(dir, 'tree/sub/link'));
  return dir;
}

const VARIABLES = {
  DIB_MINE: 'conf',
  DIB_MANY: 'a.list b.list',
  DIB_URI: 'file://by-uri',
  DIB_TREE: 'tree',
  DIB_IDLE: './idle',
};

/** An element whose hook takes along what the variables name, and a file of each element. */
async function writeElement(rig: Rig): Promise<string> {
  return rig.element('taking', {
    'data/file': 'one\n',
    'other/file': 'one\n',
    'extra-data.d/10-take': hook(`
      cat "$DIB_MINE" $DIB_MANY "\${DIB_URI#file://}" >"$TMP_MOUNT_PATH/etc/taken"
      cp -r "$DIB_TREE" "$TMP_MOUNT_PATH/tree"
      eval declare -A elements=($(get_image_element_array))
      for name in "\${!elements[@]}"; do
        if [ -e "\${elements[$name]}/data/file" ]; then cp "\${elements[$name]}/data/file" "$TMP_MOUNT_PATH/etc/data"; fi
      done`),
  });
}

/** Why the first phase runs that has to, by `--explain`; `reused` where none has to. */
function explained({ stdout, stderr, status }: Result): string {
  assert.equal(status, 0, stderr);
  return /^\S+ +runs +(.*)$/m.exec(stdout)?.[1] ?? 'reused';
}

test('an edit of what hooks take by name from the host is seen, and what they do not take costs nothing', async () => {
  await using rig = await openRig();
  const project = await openProject(rig, 'project');
  const element = await writeElement(rig);
  const arguments_ = ['-n', '-t', 'tar', '-o', 'it', 'tiny', 'taking'];
  const run = (cwd: string, ...args: readonly string[]): Promise<Result> =>
    rig.run('disk-image-create', [...args, ...arguments_], { env: VARIABLES, cwd });
  const built = await run(project);
  assert.equal(built.status, 0, built.stdout + built.stderr);

  const named = (name: string): string => `the variable ${name}, or what it names, changed`;
  const edit = (file: string) => async () => {
    const before = await readFile(file);
    await writeFile(file, 'two\n');
    return () => writeFile(file, before);
  };
  const here = (file: string): string => path.join(project, file);
  const ROWS: readonly (readonly [string, string, () => Promise<() => Promise<void>>])[] = [
    ['a file by a relative path', named('DIB_MINE'), edit(here('conf'))],
    ['one of several files', named('DIB_MANY'), edit(here('b.list'))],
    ['a file as file://', named('DIB_URI'), edit(here('by-uri'))],
    ['a file in a directory', named('DIB_TREE'), edit(here('tree/sub/file'))],
    [
      'the mode of a file in a directory',
      named('DIB_TREE'),
      async () => {
        await chmod(here('tree/sub/file'), 0o755);
        return () => chmod(here('tree/sub/file'), 0o644);
      },
    ],
    ['what git writes into its own directory', 'reused', edit(here('tree/.git/index'))],
    ['a directory that no hook names', 'reused', edit(here('idle/x'))],
    [
      "a folder of an element, by the element's path",
      'the element file taking/data/file changed',
      edit(path.join(element, 'data/file')),
    ],
    ['a folder of an element that nobody names', 'reused', edit(path.join(element, 'other/file'))],
  ];
  for (const [what, expected, change] of ROWS) {
    const undo = await change();
    assert.equal(explained(await run(project, '--explain')), expected, what);
    await undo();
  }
  assert.equal(explained(await run(project, '--explain')), 'reused', 'all as before');

  const asked = await rig.run('disk-image-create', ['--explain', ...arguments_], {
    env: { ...VARIABLES, HOME: '/nowhere', SHELL: '/bin/other' },
    cwd: project,
  });
  assert.equal(explained(asked), 'reused', "another user's home and shell, which no hook reads");

  const copy = path.join(rig.dir, 'copy');
  await cp(project, copy, { recursive: true, verbatimSymlinks: true });
  await Promise.all([rm(path.join(copy, 'it.tar')), rm(path.join(copy, 'it.d'), { force: true })]);
  assert.equal(explained(await run(copy, '--explain')), 'reused', 'the same project elsewhere');
  await writeFile(path.join(copy, 'conf'), 'two\n');
  assert.equal(explained(await run(copy, '--explain')), named('DIB_MINE'), 'another project');
});
